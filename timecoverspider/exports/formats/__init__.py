"""The formats in which a data set is handed on, with its card and Croissant."""
