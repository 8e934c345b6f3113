package io.stillhouse.jobs.storage;

import org.apache.hadoop.fs.Path;

/**
 * Observes the steps in which {@link Storage} gives files their names. {@link Storage} loads
 * implementations with {@link java.util.ServiceLoader}. The program itself has none; fault
 * injection uses them to end a process between two steps.
 */
public interface StorageListener {
  /** Is called before a file is written that is published exclusively. */
  default void publishing(Path path, byte[] bytes) {}

  /** Is called when a file that is published exclusively is complete under its temporary name. */
  default void written(Path path) {}

  /** Is called when a file that is published exclusively has its name. */
  default void published(Path path) {}

  /** Is called before a file or directory is renamed exclusively. */
  default void renaming(Path from, Path to) {}

  /** Is called before a local file or directory is copied to its temporary name. */
  default void copying(Path path) {}

  /** Is called when a local file or directory is complete under its temporary name. */
  default void copied(Path path) {}
}
