package io.stillhouse.loss;

import io.stillhouse.model.Encoder;
import io.stillhouse.target.MlmTargets;
import org.jspecify.annotations.Nullable;

/**
 * What is needed of a teacher besides its cached cells.
 *
 * @param encoder with the weights that rebuild targets which are not stored, and perhaps no others:
 *     the masked-LM head for derived soft labels; a block's query, key and value for its scores and
 *     value relations; the embeddings for hidden state 0. Null where everything is stored
 * @param mlm how the cells hold masked-LM soft labels
 */
public record TeacherParts(@Nullable Encoder encoder, MlmTargets mlm) {
  /** Everything that is asked for is stored. */
  public static final TeacherParts NONE = new TeacherParts(null, MlmTargets.NONE);

  /** Returns the encoder, of which a target is to be rebuilt. */
  Encoder forTarget(String target) {
    if (encoder == null) {
      throw new IllegalStateException(target + " are not stored, and there is no teacher");
    }
    return encoder;
  }
}
