package io.stillhouse.jobs.storage;

import org.apache.hadoop.fs.Path;

/**
 * Observes the steps in which {@link Storage} gives files their names. {@link Storage} loads
 * implementations with {@link java.util.ServiceLoader}. The program itself has none; fault
 * injection uses one to end a process between two steps.
 */
public interface StorageListener {
  /** Called before a file that is published exclusively is written. */
  default void publishing(Path path, byte[] bytes) {}

  /** Called when a file that is published exclusively is complete under its temporary name. */
  default void written(Path path) {}

  /** Called when a file that is published exclusively has its final name. */
  default void published(Path path) {}

  /** Called before a file or directory is renamed exclusively. */
  default void renaming(Path from, Path to) {}

  /** Called before a local file or directory is copied to its temporary name. */
  default void copying(Path path) {}

  /** Called when the copy of a local file or directory is complete under its temporary name. */
  default void copied(Path path) {}
}
