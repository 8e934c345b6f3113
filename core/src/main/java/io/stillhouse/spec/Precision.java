package io.stillhouse.spec;

import io.stillhouse.error.Errors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;

/** What the matrix products of a model's linear layers are computed in. */
public enum Precision {
  /** Nothing is rounded but to float32. */
  FLOAT32(6),
  /**
   * Factors and results are rounded to bfloat16, sums are float32. Everything between the linear
   * layers stays float32.
   */
  BFLOAT16(15);

  /** Flags in /proc/cpuinfo of x86-64 and of ARM: each is a processor's product of bfloat16. */
  private static final Set<String> PRODUCTS =
      Set.of("avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16");

  private final int scalarType;

  Precision(int scalarType) {
    this.scalarType = scalarType;
  }

  /** Returns the precision of a recipe's word. */
  public static Precision of(String name) {
    return valueOf(name.toUpperCase(Locale.ROOT));
  }

  /** Returns libtorch's number of the dtype. */
  public int scalarType() {
    return scalarType;
  }

  /**
   * Requires a processor that computes in this precision: libtorch on one without such products
   * fails, or emulates them slowly.
   *
   * @param key the recipe's, for the message
   * @throws io.stillhouse.error.StillhouseException if this machine's does not
   */
  public void requireProcessor(String key) {
    Path flags = Path.of("/proc/cpuinfo");
    try {
      requireProcessor(key, Files.exists(flags) ? Files.readString(flags) : "");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * As {@link #requireProcessor(String)}.
   *
   * @param cpuinfo what the machine says of its processor; empty for a device that is none
   */
  public void requireProcessor(String key, String cpuinfo) {
    if (this == BFLOAT16 && Arrays.stream(cpuinfo.split("\\s+")).noneMatch(PRODUCTS::contains)) {
      throw Errors.invalid(
          "%s is bfloat16, but this is no processor with products of bfloat16 (avx512_bf16 or amx_bf16)"
              .formatted(key),
          "set %s=float32, or take such machines".formatted(key));
    }
  }
}
