"""The gallery: pages that show all images of a data set."""
