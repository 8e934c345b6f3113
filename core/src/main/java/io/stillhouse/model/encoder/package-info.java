/**
 * Encoders with the semantics of Hugging Face's BERT, DistilBERT and ALBERT, and the searches for
 * replacement words that augmentation needs.
 *
 * <p>A block is implemented three times. {@link io.stillhouse.model.encoder.Encoder} is the
 * reference: plain operators, with gradients by autograd, tested against Hugging Face's outputs and
 * gradients. {@link io.stillhouse.model.encoder.InferenceEncoder} is the teacher's pass on a CPU:
 * packed tokens, fused attention, oneDNN's weight layout. {@link
 * io.stillhouse.model.encoder.TrainingEncoder} is the student's pass: packed tokens, with the
 * backward pass written out. The fast passes cannot replace each other: weights would have to be
 * packed into oneDNN's layout after each training step, and the training pass keeps what its
 * backward pass needs. InferenceEncoderTest and TrainingEncoderTest check that both equal the
 * reference, up to rounding.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.model.encoder;
