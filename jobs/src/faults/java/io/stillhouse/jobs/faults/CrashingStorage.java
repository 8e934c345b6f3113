package io.stillhouse.jobs.faults;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.storage.StorageListener;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.fs.Path;

/** Reaches the crash points between two writes. */
public final class CrashingStorage implements StorageListener {
  @Override
  public void publishing(Path path, byte[] bytes) {
    String entry = new String(bytes, StandardCharsets.UTF_8);
    if (has(entry, "part")) {
      CrashPoint.GROWN.reached();
    } else if (has(entry, "files") && !has(entry, "plan")) {
      CrashPoint.FINISHED.reached();
    }
  }

  /** Returns whether an indented JSON object has a member. */
  static boolean has(String json, String member) {
    return json.contains(format("\n  \"%s\": ", member));
  }

  @Override
  public void written(Path path) {
    CrashPoint.WRITTEN.reached();
  }

  @Override
  public void published(Path path) {
    CrashPoint.PUBLISHED.reached();
  }

  @Override
  public void renaming(Path from, Path to) {
    if (from.getName().contains("-planning-")) {
      CrashPoint.PLANNED.reached();
    }
  }

  @Override
  public void copying(Path path) {
    if (path.getParent().getParent().getName().equals("_checkpoints")) {
      CrashPoint.SUMMED.reached();
    }
  }

  @Override
  public void copied(Path path) {
    CrashPoint.COPIED.reached();
  }
}
