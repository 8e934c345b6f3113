package io.stillhouse.checkpoint.pickle;

/** A pickle that is damaged or is not a checkpoint of tensors. */
final class PickleException extends Exception {
  private static final long serialVersionUID = 1L;

  private final boolean refused;

  private PickleException(String message, boolean refused) {
    super(message);
    this.refused = refused;
  }

  static PickleException damaged(String why) {
    return new PickleException(why, false);
  }

  static PickleException refused(String what) {
    return new PickleException(what, true);
  }

  /** Returns whether the file is intact, but asks for something that is not allowed. */
  boolean isRefused() {
    return refused;
  }
}
