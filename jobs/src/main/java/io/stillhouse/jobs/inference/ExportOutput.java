package io.stillhouse.jobs.inference;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;

/** The kind of output of an exported graph, and the error if it is not the expected one. */
enum ExportOutput {
  /** Task logits, (B, C). */
  LOGITS,
  /** Last hidden states, (B, L, H). */
  HIDDEN_STATES;

  /**
   * Requires that a graph returns this.
   *
   * @param found what it returns
   */
  void require(ExportOutput found, ModelLocation location) {
    if (found != this) {
      throw missing(location);
    }
  }

  /** Returns the error for a masked LM, whose output is neither of the two. */
  static StillhouseException perToken(ModelLocation location) {
    return Errors.invalid(
        format("'%s' is a masked LM, which returns one distribution per token", location.path()),
        format("use '%s', its directory of weights", location.directory()));
  }

  private StillhouseException missing(ModelLocation location) {
    return switch (this) {
      case LOGITS ->
          Errors.invalid(
              format("'%s' has no task head, so it gives no classes or scores", location.path()),
              "export a fine-tuned model, or ask for embeddings");
      case HIDDEN_STATES ->
          Errors.invalid(
              format("'%s' returns logits only, so it gives no embeddings", location.path()),
              format(
                  "use '%s', its directory of weights, or export a model without a head",
                  location.directory()));
    };
  }
}
