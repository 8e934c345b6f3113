package io.stillhouse.jobs.spark;

import java.io.IOException;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.apache.spark.TaskContext;
import org.apache.spark.util.TaskCompletionListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A bounded cache of values with native memory, which tasks of this process share. It closes the
 * least recently used values, but none that a running task has requested. A value that is requested
 * outside of a task is never closed, since nothing signals when it is no longer used.
 */
public final class TaskCache<K, V> {
  private static final Logger LOG = LoggerFactory.getLogger(TaskCache.class);

  private final int capacity;
  private final Map<K, Entry<V>> entries = new LinkedHashMap<>(16, 0.75f, true);

  /** A value and the resources that hold its memory. */
  public record Loaded<V>(V value, AutoCloseable resources) {}

  /** Loads a value that the cache lacks. */
  @FunctionalInterface
  public interface Loader<V> {
    Loaded<V> load() throws IOException;
  }

  private static final class Entry<V> {
    private final Loaded<V> loaded;
    private final Set<Long> tasks = new HashSet<>();
    private boolean usedOutsideOfTasks;

    Entry(Loaded<V> loaded) {
      this.loaded = loaded;
    }

    boolean isInUse() {
      return usedOutsideOfTasks || !tasks.isEmpty();
    }
  }

  /**
   * @param capacity number of values above which unused ones are closed
   */
  public TaskCache(int capacity) {
    this.capacity = capacity;
  }

  /** Returns the value of a key, which stays open until the calling task ends. */
  public synchronized V get(K key, Loader<V> loader) throws IOException {
    Entry<V> entry = entries.get(key);
    if (entry == null) {
      entry = new Entry<>(loader.load());
      entries.put(key, entry);
    }
    TaskContext task = TaskContext.get();
    if (task == null) {
      entry.usedOutsideOfTasks = true;
    } else if (entry.tasks.add(task.taskAttemptId())) {
      Entry<V> used = entry;
      TaskCompletionListener release = ended -> release(used, ended.taskAttemptId());
      task.addTaskCompletionListener(release);
    }
    evict();
    return entry.loaded.value();
  }

  synchronized int size() {
    return entries.size();
  }

  private synchronized void release(Entry<V> entry, long task) {
    entry.tasks.remove(task);
    evict();
  }

  private void evict() {
    Iterator<Map.Entry<K, Entry<V>>> oldest = entries.entrySet().iterator();
    int surplus = entries.size() - capacity;
    while (surplus > 0 && oldest.hasNext()) {
      Map.Entry<K, Entry<V>> next = oldest.next();
      if (!next.getValue().isInUse()) {
        oldest.remove();
        surplus--;
        close(next.getKey(), next.getValue().loaded.resources());
      }
    }
  }

  private static void close(Object key, AutoCloseable resources) {
    try {
      resources.close();
      LOG.debug("Closed {}", key);
    } catch (Exception e) {
      LOG.warn("Could not free the memory of {}; the executor keeps it until it ends", key, e);
    }
  }
}
