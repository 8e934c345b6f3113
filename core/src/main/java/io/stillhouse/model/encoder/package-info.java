/**
 * Encoders with the semantics of Hugging Face's BERT, DistilBERT and ALBERT, and what augmentation
 * asks of them.
 *
 * <p>A block is implemented three times. {@link io.stillhouse.model.encoder.Encoder} is the
 * reference: plain operators, with gradients by autograd, tested against Hugging Face's outputs and
 * gradients. {@link io.stillhouse.model.encoder.InferenceEncoder} is the teacher's pass on a CPU:
 * packed tokens, fused attention, oneDNN's weight layout. {@link
 * io.stillhouse.model.encoder.TrainingEncoder} is the student's pass: packed tokens, with the
 * backward pass written out. The fast passes cannot replace each other: oneDNN's weight layout
 * would have to be renewed after each training step, and the training pass keeps what its backward
 * pass needs. InferenceEncoderTest and TrainingEncoderTest hold both equal to the reference, up to
 * rounding.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.model.encoder;
