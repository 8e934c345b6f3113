package io.stillhouse.spec;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;

/** The precision of the matrix products of a model's linear layers. */
public enum Precision {
  /** Everything is float32. */
  FLOAT32(6),
  /**
   * Factors and results are rounded to bfloat16, sums are float32. Everything between the linear
   * layers stays float32.
   */
  BFLOAT16(15);

  /** Flags in /proc/cpuinfo, on x86-64 and ARM, of processors with bfloat16 products. */
  private static final Set<String> PRODUCTS =
      Set.of("avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16");

  private final int scalarType;

  Precision(int scalarType) {
    this.scalarType = scalarType;
  }

  /** Returns the precision with a name in a recipe. */
  public static Precision of(String name) {
    return valueOf(name.toUpperCase(Locale.ROOT));
  }

  /** Returns libtorch's number for the dtype. */
  public int scalarType() {
    return scalarType;
  }

  /**
   * Requires a processor that computes in this precision; on others, libtorch fails or emulates
   * products slowly.
   *
   * @param key the key that requests it, for the message
   * @throws io.stillhouse.error.StillhouseException if this machine's processor does not compute in
   *     it
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
   * Requires a processor as {@link #requireProcessor(String)} does.
   *
   * @param cpuinfo the content of /proc/cpuinfo; empty if there is none
   */
  public void requireProcessor(String key, String cpuinfo) {
    if (this == BFLOAT16 && Arrays.stream(cpuinfo.split("\\s+")).noneMatch(PRODUCTS::contains)) {
      throw Errors.invalid(
          format(
              "%s is bfloat16, but this processor has no bfloat16 products (avx512_bf16 or"
                  + " amx_bf16)",
              key),
          format("set %s=float32, or use machines that have them", key));
    }
  }
}
