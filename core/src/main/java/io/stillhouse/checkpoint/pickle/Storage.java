package io.stillhouse.checkpoint.pickle;

/**
 * The numbers of one or several tensors.
 *
 * @param key the name of its bytes in the file
 * @param count how many numbers it has
 */
record Storage(Dtype dtype, String key, long count) {}
