package io.stillhouse.jobs.faults;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The sampled peak resident memory of a command's processes. */
final class Memory {
  private long driver;
  private long executor;

  void sample(Command command) {
    driver = Math.max(driver, megabytes(command.driver()));
    for (ProcessHandle process : command.executors()) {
      executor = Math.max(executor, megabytes(process));
    }
  }

  long driver() {
    return driver;
  }

  long executor() {
    return executor;
  }

  private static long megabytes(ProcessHandle process) {
    try {
      return Files.readAllLines(Path.of("/proc", Long.toString(process.pid()), "status")).stream()
          .filter(line -> line.startsWith("VmRSS:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) / 1024)
          .findFirst()
          .orElse(0);
    } catch (IOException e) {
      return 0; // it has ended
    }
  }
}
