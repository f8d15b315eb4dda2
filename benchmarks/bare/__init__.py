"""The least that encoding a row can take: decoders and models alone, on all cores, with nothing around them."""
