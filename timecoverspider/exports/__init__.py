"""What is made of a data set: averages, a gallery. Each module reads only ``dataset.Dataset``."""
