/**
 * The cell codec: encodes a teacher's tensors into the cells of a cache, and decodes cells into the
 * tensors that losses compare with. {@link io.stillhouse.codec.TargetCells} and {@link
 * io.stillhouse.codec.MlmEncoder} encode, {@link io.stillhouse.codec.TargetBatch} decodes, and
 * computes targets that are not stored with {@link io.stillhouse.codec.TeacherParts}. The layout of
 * cells is specified in {@code jobs/CACHE-FORMAT.md}.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.codec;
