package io.stillhouse.torch;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** The operating system and processor, for which DJL's native libraries must exist. */
public final class Platform {
  /** Names of processors in Java, and in the names of native libraries. */
  private static final Map<String, String> PROCESSORS =
      Map.of("amd64", "x86_64", "x86_64", "x86_64", "aarch64", "aarch64", "arm64", "aarch64");

  private static final List<String> SUPPORTED = List.of("linux-x86_64", "linux-aarch64");

  private Platform() {}

  /**
   * Requires that this machine can run DJL's native libraries, and that this build contains them.
   * Without this check, DJL fails with the path of a file that it does not find.
   *
   * @throws io.stillhouse.error.StillhouseException if not
   */
  public static void require() {
    require(
        System.getProperty("os.name"),
        System.getProperty("os.arch"),
        resource -> Platform.class.getClassLoader().getResource(resource) != null);
  }

  static void require(String system, String processor, Predicate<String> exists) {
    String name = PROCESSORS.get(processor);
    if (!system.equals("Linux") || name == null) {
      throw Errors.invalid(
          format(
              "Stillhouse runs on Linux on x86_64 and aarch64, but this machine has %s on %s",
              system, processor),
          "use a Linux machine or container with one of these processors");
    }
    String platform = "linux-" + name;
    if (!exists.test(jniLibrary(platform))) {
      List<String> built =
          SUPPORTED.stream().filter(each -> exists.test(jniLibrary(each))).toList();
      throw Errors.invalid(
          format(
              "this build of Stillhouse is for %s, but this machine is %s",
              built.isEmpty() ? "no platform" : String.join(" and ", built), platform),
          format("use the archive for %s, or build it with Maven on this machine", platform));
    }
  }

  private static String jniLibrary(String platform) {
    return format("jnilib/%s/cpu/libdjl_torch.so", platform);
  }
}
