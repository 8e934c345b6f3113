package io.stillhouse.spec;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** The activation function of an encoder, under Hugging Face's name in lower case. */
public enum Activation {
  /** {@code x * (1 + erf(x / sqrt(2))) / 2}. */
  GELU,
  /** {@code x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2}, ALBERT's approximation. */
  GELU_NEW,
  /** The same function as {@link #GELU_NEW}. */
  GELU_PYTORCH_TANH,
  /** {@code max(x, 0)}. */
  RELU;

  /** All names, for messages. */
  public static final String NAMES =
      Arrays.stream(values()).map(Activation::id).collect(Collectors.joining(", "));

  /** Returns the activation of a name such as {@code gelu_new}. */
  public static Optional<Activation> named(String name) {
    return Arrays.stream(values()).filter(activation -> activation.id().equals(name)).findFirst();
  }

  /** Returns Hugging Face's name. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Returns whether this is GELU with the tanh approximation. */
  public boolean approximatesByTanh() {
    return this == GELU_NEW || this == GELU_PYTORCH_TANH;
  }
}
