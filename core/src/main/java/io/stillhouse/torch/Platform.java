package io.stillhouse.torch;

import static io.stillhouse.error.Text.format;

import com.sun.jna.NativeLibrary;
import io.stillhouse.error.Errors;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/** The operating system and processor, for which DJL's native libraries must exist. */
public final class Platform {
  /** Names of processors in Java, and in the names of native libraries. */
  private static final Map<String, String> PROCESSORS =
      Map.of("amd64", "x86_64", "x86_64", "x86_64", "aarch64", "aarch64", "arm64", "aarch64");

  /** The oldest version that DJL's tokenizers, and its JNI library on aarch64, run with. */
  private static final int GLIBC_MAJOR = 2;

  private static final int GLIBC_MINOR = 34;

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
    glibc().ifPresent(Platform::requireGlibc);
  }

  /** Returns the version of glibc, or nothing if JNA cannot load its library or there is none. */
  private static Optional<String> glibc() {
    try {
      return Optional.of(
          NativeLibrary.getInstance("c")
              .getFunction("gnu_get_libc_version")
              .invokeString(new Object[0], false));
    } catch (LinkageError e) {
      return Optional.empty(); // then DJL's libraries do not load either, and its error says why
    }
  }

  static void requireGlibc(String version) {
    int dot = version.indexOf('.');
    int major = Integer.parseInt(version.substring(0, dot));
    int minor = Integer.parseInt(version.substring(dot + 1).replaceAll("\\D.*", ""));
    if (major < GLIBC_MAJOR || (major == GLIBC_MAJOR && minor < GLIBC_MINOR)) {
      throw Errors.invalid(
          format(
              "DJL's native libraries need glibc %d.%d or newer, but this machine has glibc %s",
              GLIBC_MAJOR, GLIBC_MINOR, version),
          "use a newer system or a container of one, such as Debian 12, Ubuntu 22.04, RHEL 9 or"
              + " Amazon Linux 2023");
    }
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
