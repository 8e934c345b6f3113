/**
 * Encodes teacher targets into cells, and decodes cells into the tensors that losses compare with.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.codec;
