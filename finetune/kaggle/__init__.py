"""Run on Kaggle: a notebook, the dataset of wheels that it installs from, and the metadata of both."""
