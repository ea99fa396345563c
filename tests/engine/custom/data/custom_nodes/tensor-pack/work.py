def invert(image):
    return 1.0 - image
