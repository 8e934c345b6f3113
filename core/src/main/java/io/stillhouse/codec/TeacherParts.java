package io.stillhouse.codec;

import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.target.MlmTargets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is needed of a teacher besides its cached cells.
 *
 * @param encoder with the weights that rebuild targets which are not stored, and perhaps no others:
 *     the masked-LM head for derived soft labels; a block's query, key and value for its scores and
 *     value relations; the embeddings for hidden state 0. Null where everything is stored
 * @param mlm how the cells hold masked-LM soft labels
 * @param further those of further teachers, in the order of {@link
 *     io.stillhouse.target.Example#further}
 */
public record TeacherParts(@Nullable Encoder encoder, MlmTargets mlm, List<TeacherParts> further) {
  /** Everything that is asked for is stored. */
  public static final TeacherParts NONE = new TeacherParts(null, MlmTargets.NONE);

  public TeacherParts {
    further = List.copyOf(further);
  }

  /** Those of one teacher. */
  public TeacherParts(@Nullable Encoder encoder, MlmTargets mlm) {
    this(encoder, mlm, List.of());
  }

  /** Returns the encoder, of which a target is to be rebuilt. */
  Encoder forTarget(String target) {
    if (encoder == null) {
      throw new IllegalStateException(target + " are not stored, and there is no teacher");
    }
    return encoder;
  }
}
