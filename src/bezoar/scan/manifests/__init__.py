"""Reads what a project installs and runs in CI: requirements, lock files, images, workflows."""
