"""What a training needs before it is started: memory part by part, tensor by tensor, on which device, and how long."""
