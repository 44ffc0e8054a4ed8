"""What a training script reads: data sets over renderings, augmentation, hard negatives."""
