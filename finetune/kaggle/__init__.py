"""The run on Kaggle: a notebook, the dataset of wheels that it installs from, and what Kaggle is told about both."""
