"""Recall: what was encoded once is not encoded again; embeddings known by the hash of what they are made from.

keys      a value's key: a hash of its bytes; and the key of a store: all else that decides the embedding
segment   one immutable, sorted, memory-mapped file of a store
store     the segments of one modality's cleaning and encoder
merge     few large segments from many small ones, without what nobody has asked for in a while
session   one unit's dealings with the stores: what is recalled, what is repeated, what is new
"""
