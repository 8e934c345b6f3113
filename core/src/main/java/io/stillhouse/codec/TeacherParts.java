package io.stillhouse.codec;

import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.target.MlmTargets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The parts of a teacher that decoding needs in addition to its cells.
 *
 * @param encoder computes targets that are not stored. It may lack the weights that these do not
 *     need: soft labels need the masked-LM head, a block's scores and value relations its query,
 *     key and value, hidden state 0 the embeddings. Null if everything is stored
 * @param mlm how the cells store masked-LM soft labels
 * @param additional the parts of additional teachers, in the order of {@link
 *     io.stillhouse.target.Example#additional}
 */
public record TeacherParts(
    @Nullable Encoder encoder, MlmTargets mlm, List<TeacherParts> additional) {
  /** For a teacher whose cells store every target that will be requested. */
  public static final TeacherParts NONE = new TeacherParts(null, MlmTargets.NONE);

  public TeacherParts {
    additional = List.copyOf(additional);
  }

  /** Creates the parts of a single teacher. */
  public TeacherParts(@Nullable Encoder encoder, MlmTargets mlm) {
    this(encoder, mlm, List.of());
  }

  /**
   * Returns the encoder that computes a target. Throws if there is none.
   *
   * @param target name of the target, in the plural, for the message
   */
  Encoder forTarget(String target) {
    if (encoder == null) {
      throw new IllegalStateException(
          target + " are not stored, and there is no teacher to compute them");
    }
    return encoder;
  }
}
