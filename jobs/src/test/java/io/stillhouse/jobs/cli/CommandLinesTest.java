package io.stillhouse.jobs.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Checks exit codes and messages of commands that fail before they start Spark. */
class CommandLinesTest {
  private final PrintStream stderr = System.err;
  private final ByteArrayOutputStream captured = new ByteArrayOutputStream();

  @BeforeEach
  void capture() {
    System.setErr(new PrintStream(captured, true, StandardCharsets.UTF_8));
  }

  @AfterEach
  void restore() {
    System.setErr(stderr);
  }

  @Test
  void userErrorHasMessageAndExitCode2() {
    assertThat(run(Errors.invalid("the value is wrong", "correct it"))).isEqualTo(2);
    assertThat(message()).isEqualTo("stillhouse: the value is wrong; correct it\n");
  }

  @Test
  void unavailableServiceHasMessageAndExitCode1() {
    Exception cause = new IOException("connection refused");
    assertThat(run(Errors.unavailable("the server is down", "try again", cause))).isEqualTo(1);
    assertThat(message()).isEqualTo("stillhouse: the server is down; try again\n");
  }

  @Test
  void otherFailureHasStackTraceAndExitCode1() {
    assertThat(run(new IllegalStateException("our mistake"))).isEqualTo(1);
    assertThat(message()).contains("our mistake", "\tat ");
  }

  private static int run(RuntimeException failure) {
    UnaryOperator<Settings> failing =
        settings -> {
          throw failure;
        };
    return Stillhouse.run(failing, "verify", "no-cache");
  }

  private String message() {
    return captured.toString(StandardCharsets.UTF_8);
  }
}
