"""What all rooms agree on. Import from the modules: some are free of numpy, and stay so."""
