"""Training-data poisoning: labels and samples of a share of the training set are changed."""
