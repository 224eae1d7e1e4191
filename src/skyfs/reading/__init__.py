"""Reading: from an address to a dataset, its bytes, and the object that is made of them."""
