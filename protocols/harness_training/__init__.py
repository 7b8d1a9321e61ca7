"""Live training: networks of search spaces, data of images, and the loop that makes a score of them."""
