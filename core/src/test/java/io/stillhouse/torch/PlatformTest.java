package io.stillhouse.torch;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PlatformTest {
  private static final Predicate<String> X86 = resource -> resource.contains("/linux-x86_64/");
  private static final Predicate<String> ARM = resource -> resource.contains("/linux-aarch64/");

  @Test
  void acceptsThisMachine() {
    assertThatCode(Platform::require).doesNotThrowAnyException();
  }

  @Test
  void acceptsProcessorsOfBuild() {
    assertThatCode(() -> Platform.require("Linux", "amd64", X86)).doesNotThrowAnyException();
    assertThatCode(() -> Platform.require("Linux", "aarch64", ARM)).doesNotThrowAnyException();
    assertThatCode(() -> Platform.require("Linux", "aarch64", X86.or(ARM)))
        .doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource({
    "Mac OS X, aarch64",
    "Mac OS X, x86_64",
    "Windows 11, amd64",
    "Linux, ppc64le",
    "Linux, arm"
  })
  void namesSupportedPlatformsElsewhere(String system, String processor) {
    assertThatThrownBy(() -> Platform.require(system, processor, X86.or(ARM)))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "Stillhouse runs on Linux on x86_64 and aarch64, but this machine has %s on %s; use a"
                + " Linux machine or container with one of these processors",
            system, processor);
  }

  @Test
  void namesPlatformOfBuild() {
    assertThatThrownBy(() -> Platform.require("Linux", "aarch64", X86))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "this build of Stillhouse is for linux-x86_64, but this machine is linux-aarch64; use"
                + " the archive for linux-aarch64, or build it with Maven on this machine");
  }

  @ParameterizedTest
  @ValueSource(strings = {"2.34", "2.36", "2.40.9000", "3.0"})
  void acceptsNewGlibc(String version) {
    assertThatCode(() -> Platform.requireGlibc(version)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(strings = {"2.31", "2.5", "1.40"})
  void namesOldGlibc(String version) {
    assertThatThrownBy(() -> Platform.requireGlibc(version))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "DJL's native libraries need glibc 2.34 or newer, but this machine has glibc %s; use a"
                + " newer system or a container of one, such as Debian 12, Ubuntu 22.04, RHEL 9 or"
                + " Amazon Linux 2023",
            version);
  }
}
