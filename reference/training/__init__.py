"""Training data: data sets over renderings, augmentation, hard negatives."""
