package io.stillhouse.jobs.cache.layout;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The append-only log of a cache's changes. Each entry is a numbered, sealed JSON file that names
 * its predecessor's seal; entries are appended and never replaced. {@link #state} returns the state
 * that the entries add up to.
 *
 * <p>One thread may read the state while another appends.
 */
public final class ManifestLog {
  public static final String DIRECTORY = "manifest";

  /** More lost entries than a damaged disk leaves behind: the number of one entry is wrong. */
  private static final int MAX_LOST = 100_000;

  private final Storage storage;
  private final Path directory;
  private final List<Path> damaged;
  private volatile CacheState state;
  private int next;
  private String last;

  /** An entry and its seal. */
  private record Read(ManifestEntry entry, String seal) {}

  private ManifestLog(Storage storage, Path directory, SortedMap<Integer, Read> entries, int next) {
    this.storage = storage;
    this.directory = directory;
    this.next = next;
    this.last = seal(entries.get(next - 1), "");
    this.damaged = new ArrayList<>();
    Set<Integer> lost = new HashSet<>();
    entries.values().forEach(read -> lost.addAll(read.entry().lost()));
    List<ManifestChange> changes = new ArrayList<>();
    for (int number = 0; number < next; number++) {
      Read read = entries.get(number);
      if (lost.contains(number)) {
        continue;
      }
      // If the previous entry is damaged, there is no seal to compare.
      if (read != null && follows(read.entry(), entries.get(number - 1))) {
        changes.addAll(read.entry().changes());
      } else {
        damaged.add(new Path(directory, name(number)));
      }
    }
    this.state = CacheState.EMPTY.with(changes);
  }

  private static boolean follows(ManifestEntry entry, @Nullable Read before) {
    return before == null || entry.follows(before.seal());
  }

  private static String seal(@Nullable Read read, String otherwise) {
    return read == null ? otherwise : read.seal();
  }

  /**
   * Reads the manifest of a cache, which may have no entries.
   *
   * @throws io.stillhouse.error.StillhouseException if an entry is damaged or missing
   */
  public static ManifestLog read(Storage storage, Path cache) throws IOException {
    return readUndamaged(storage, cache).requireUndamaged();
  }

  /** Reads the entries of a manifest that are not damaged. */
  public static ManifestLog readUndamaged(Storage storage, Path cache) throws IOException {
    Path directory = new Path(cache, DIRECTORY);
    SortedMap<Integer, Read> entries = new TreeMap<>();
    int next = 0;
    List<Integer> numbers = numbers(storage, directory);
    for (int number : numbers) {
      if (number > numbers.size() + MAX_LOST) {
        throw Errors.invalid(
            format(
                "manifest '%s' has entry %s, but only %d entries",
                directory, name(number), numbers.size()),
            "remove the file if it is not the cache's, or copy the lost entries back");
      }
      next = Math.max(next, number + 1);
      Read read = read(storage, directory, number);
      if (read != null) {
        entries.put(number, read);
      }
    }
    return new ManifestLog(storage, directory, entries, next);
  }

  private static List<Integer> numbers(Storage storage, Path directory) throws IOException {
    FileSystem fs = storage.fileSystem(directory);
    if (!fs.exists(directory)) {
      return List.of();
    }
    return Arrays.stream(fs.listStatus(directory))
        .map(FileStatus::getPath)
        .map(Path::getName)
        .filter(name -> name.matches("\\d{8}\\.json"))
        .map(name -> Integer.valueOf(name.substring(0, 8)))
        .sorted()
        .toList();
  }

  private static @Nullable Read read(Storage storage, Path directory, int number)
      throws IOException {
    String text = storage.readText(new Path(directory, name(number)));
    ManifestEntry entry = ManifestEntry.parse(text);
    return entry == null || entry.sequence != number ? null : new Read(entry, Seal.of(text));
  }

  private static String name(int number) {
    return format("%08d.json", number);
  }

  /**
   * Returns this manifest.
   *
   * @throws io.stillhouse.error.StillhouseException if an entry is damaged or missing
   */
  public synchronized ManifestLog requireUndamaged() {
    if (!damaged.isEmpty()) {
      throw Errors.invalid(
          format(
              "manifest entry '%s' is damaged, or the entry before it is missing", damaged.get(0)),
          "run verify on the cache, then cache again, which restores what the entry held");
    }
    return this;
  }

  /** Returns the state after all entries, including those that this object has appended. */
  public CacheState state() {
    return state;
  }

  /**
   * Reads the entries that were appended since this object read the manifest.
   *
   * @throws io.stillhouse.error.StillhouseException if one is damaged or does not name its
   *     predecessor
   */
  public synchronized void follow() throws IOException {
    List<ManifestChange> changes = new ArrayList<>();
    for (Path path = new Path(directory, name(next));
        storage.exists(path);
        path = new Path(directory, name(next))) {
      Read read = read(storage, directory, next);
      if (read == null || !read.entry().follows(last)) {
        damaged.add(path);
        break;
      }
      changes.addAll(read.entry().changes());
      last = read.seal();
      next++;
    }
    if (!changes.isEmpty()) {
      state = state.with(changes);
    }
    requireUndamaged();
  }

  /**
   * Appends an entry.
   *
   * @throws io.stillhouse.error.StillhouseException if another command has appended an entry
   */
  public synchronized void append(ManifestChange change) throws IOException {
    Path path = new Path(directory, name(next));
    String json = ManifestEntry.of(change, next, last).toJson();
    try {
      storage.publishExclusively(path, json.getBytes(StandardCharsets.UTF_8));
    } catch (FileAlreadyExistsException e) {
      throw Errors.invalid(
          format("another run has written '%s' since this one started", path),
          "run only one cache command at a time on a cache",
          e);
    }
    state = state.with(List.of(change));
    last = Seal.of(json);
    next++;
  }

  /** Returns the number of entries, including damaged ones. */
  public synchronized int entries() {
    return next;
  }

  /** Returns the path of an entry, relative to the cache. */
  public static String entry(int number) {
    return DIRECTORY + "/" + name(number);
  }

  /** Returns the entries that are damaged or missing, and that no later entry has given up. */
  public synchronized List<Path> damaged() {
    return List.copyOf(damaged);
  }

  /** Returns the numbers of {@link #damaged} entries. */
  public synchronized List<Integer> damagedEntries() {
    return damaged.stream().map(path -> Integer.valueOf(path.getName().substring(0, 8))).toList();
  }
}
