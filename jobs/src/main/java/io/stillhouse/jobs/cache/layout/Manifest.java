package io.stillhouse.jobs.cache.layout;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The files that count. Each entry is a numbered, sealed JSON file that names its predecessor's
 * hash; entries are only appended, never over one that is there, and files are given up by a later
 * entry that revokes them, or that drops their shard. One thread may read it while another appends.
 */
public final class Manifest {
  public static final String DIRECTORY = "manifest";

  private final Storage storage;
  private final Path directory;
  private final Map<String, CacheFile> files = new LinkedHashMap<>();
  private final Map<Integer, Map<String, CacheFile>> byShard = new HashMap<>();
  private final Map<String, Map<Integer, Map<String, String>>> invalid = new HashMap<>();
  private final Map<Integer, Part> parts = new TreeMap<>();
  private final Map<String, OtherTeacher> teachers = new TreeMap<>();
  private final Map<Integer, Dropped> dropped = new TreeMap<>();
  private final List<Path> damaged = new ArrayList<>();
  private @Nullable Plan plan;
  private long droppedBytes;
  private int next;
  private String last = "";

  /**
   * One entry.
   *
   * @param sequence its number, and its name
   * @param previous hash of the entry before
   * @param plan in the first entry
   * @param part that the plan grows by
   * @param teacher another one, whose targets may follow
   * @param files that count from now on
   * @param invalid rows whose targets are null, from now on
   * @param revoked paths of files that count no longer
   * @param lost numbers of entries that are damaged: what they said is to be done again
   * @param dropped shards whose targets were let go, for good
   */
  public record Entry(
      int sequence,
      String previous,
      @Nullable Plan plan,
      @Nullable Part part,
      @Nullable OtherTeacher teacher,
      @Nullable List<CacheFile> files,
      @Nullable List<Invalid> invalid,
      @Nullable List<String> revoked,
      @Nullable List<Integer> lost,
      @Nullable Dropped dropped) {

    public static Entry first(Plan plan) {
      return new Entry(0, "", plan, null, null, plan.inputs(), null, null, null, null);
    }

    public static Entry grown(Part part) {
      return new Entry(0, "", null, part, null, part.inputs(), null, null, null, null);
    }

    public static Entry joined(OtherTeacher teacher) {
      return new Entry(0, "", null, null, teacher, null, null, null, null, null);
    }

    public static Entry added(List<CacheFile> files, List<Invalid> invalid) {
      return new Entry(
          0, "", null, null, null, files, invalid.isEmpty() ? null : invalid, null, null, null);
    }

    public static Entry revoking(Collection<String> paths, Collection<Integer> lost) {
      return new Entry(
          0, "", null, null, null, null, null, List.copyOf(paths), List.copyOf(lost), null);
    }

    public static Entry dropping(Dropped dropped) {
      return new Entry(0, "", null, null, null, null, null, null, null, dropped);
    }

    Entry at(int number, String after) {
      return new Entry(number, after, plan, part, teacher, files, invalid, revoked, lost, dropped);
    }
  }

  /** A row that a teacher gave no finite output for. */
  public record Invalid(int shard, String id, String reason, String teacher)
      implements Serializable {
    public Invalid {
      teacher = teacher == null ? "" : teacher; // as entries of one teacher alone were written
    }
  }

  /** Shards that a window has passed, and the students that had seen them by then. */
  public record Dropped(List<Integer> shards, List<String> students) {
    public Dropped {
      shards = List.copyOf(shards);
      students = List.copyOf(students);
    }
  }

  private Manifest(Storage storage, Path directory) {
    this.storage = storage;
    this.directory = directory;
  }

  /**
   * Reads the manifest of a cache; one without entries is empty.
   *
   * @throws io.stillhouse.error.StillhouseException if an entry is damaged or missing
   */
  public static Manifest read(Storage storage, Path cache) throws IOException {
    return survey(storage, cache).requireSound();
  }

  /**
   * Returns this manifest.
   *
   * @throws io.stillhouse.error.StillhouseException if an entry is damaged or missing
   */
  public Manifest requireSound() {
    if (!damaged.isEmpty()) {
      throw Errors.invalid(
          "manifest entry '%s' is damaged, or one before it is missing".formatted(damaged.get(0)),
          "run verify on the cache, then cache again: what the entry said is done anew");
    }
    return this;
  }

  /** Reads what is sound of a manifest. */
  public static Manifest survey(Storage storage, Path cache) throws IOException {
    Manifest manifest = new Manifest(storage, new Path(cache, DIRECTORY));
    List<Path> paths = manifest.list();
    TreeMap<Integer, Entry> sound = new TreeMap<>();
    Map<Integer, String> hashes = new HashMap<>();
    Set<Integer> lost = new HashSet<>();
    int highest = -1;
    for (Path path : paths) {
      int number = Integer.parseInt(path.getName().replace(".json", ""));
      highest = Math.max(highest, number);
      String text = Seal.open(storage.readText(path));
      Entry entry = text == null ? null : Storage.JSON.fromJson(text, Entry.class);
      if (entry != null && entry.sequence() == number) {
        sound.put(number, entry);
        hashes.put(number, Seal.of(text));
        if (entry.lost() != null) {
          lost.addAll(entry.lost());
        }
      }
    }
    for (int number = 0; number <= highest; number++) {
      Entry entry = sound.get(number);
      boolean follows =
          entry != null
              && (number == 0
                  || entry.previous().equals(hashes.getOrDefault(number - 1, entry.previous())));
      if (entry == null || !follows) {
        if (!lost.contains(number)) {
          manifest.damaged.add(new Path(manifest.directory, name(number)));
        }
      } else if (!lost.contains(number)) {
        manifest.take(entry);
      }
    }
    manifest.next = highest + 1;
    manifest.last = hashes.getOrDefault(highest, "");
    return manifest;
  }

  private static String name(int number) {
    return "%08d.json".formatted(number);
  }

  private List<Path> list() throws IOException {
    FileSystem fs = storage.fileSystem(directory);
    if (!fs.exists(directory)) {
      return List.of();
    }
    return Arrays.stream(fs.listStatus(directory))
        .map(FileStatus::getPath)
        .filter(path -> path.getName().matches("\\d{8}\\.json"))
        .sorted(Comparator.comparing(Path::getName))
        .toList();
  }

  private void take(Entry entry) {
    if (entry.plan() != null) {
      plan = entry.plan();
    }
    if (entry.part() != null) {
      parts.put(entry.part().firstShard(), entry.part());
    }
    if (entry.teacher() != null) {
      teachers.put(entry.teacher().name(), entry.teacher());
    }
    if (entry.files() != null) {
      for (CacheFile file : entry.files()) {
        if (droppedTargets(file)) {
          continue; // written before somebody found that nobody needs it
        }
        files.put(file.path(), file);
        Map<String, CacheFile> columns =
            byShard.computeIfAbsent(file.shard(), u -> new HashMap<>());
        // The first that holds a column counts; a later one is the double of a lost entry's.
        file.columns()
            .forEach(name -> columns.putIfAbsent(key(file.teacher(), file.family(), name), file));
      }
    }
    if (entry.invalid() != null) {
      for (Invalid row : entry.invalid()) {
        invalid
            .computeIfAbsent(row.teacher(), name -> new HashMap<>())
            .computeIfAbsent(row.shard(), u -> new TreeMap<>())
            .put(row.id(), row.reason());
      }
    }
    if (entry.revoked() != null) {
      for (String path : entry.revoked()) {
        CacheFile file = files.remove(path);
        if (file != null) {
          byShard.get(file.shard()).values().removeIf(held -> held.path().equals(path));
        }
      }
    }
    if (entry.dropped() != null) {
      entry.dropped().shards().forEach(shard -> dropped.put(shard, entry.dropped()));
      for (CacheFile file : files().stream().filter(this::droppedTargets).toList()) {
        droppedBytes += file.size().bytes();
        files.remove(file.path());
        byShard.get(file.shard()).values().removeIf(held -> held.equals(file));
      }
    }
  }

  private boolean droppedTargets(CacheFile file) {
    return dropped.containsKey(file.shard()) && !file.family().equals(Family.INPUTS.id());
  }

  /**
   * Takes the entries that were appended since this was read, each whole and naming the one before.
   *
   * @throws io.stillhouse.error.StillhouseException if one is damaged
   */
  public synchronized void follow() throws IOException {
    for (Path path = new Path(directory, name(next));
        storage.exists(path);
        path = new Path(directory, name(next))) {
      String text = Seal.open(storage.readText(path));
      Entry entry = text == null ? null : Storage.JSON.fromJson(text, Entry.class);
      if (entry == null || entry.sequence() != next || !entry.previous().equals(last)) {
        damaged.add(path);
        requireSound();
      } else {
        take(entry);
        last = Seal.of(text);
        next++;
      }
    }
  }

  private static String key(String teacher, String family, String column) {
    return teacher + "/" + family + "/" + column;
  }

  /** Appends an entry, or fails where another command has written one of that number. */
  public synchronized void append(Entry content) throws IOException {
    Path path = new Path(directory, name(next));
    Entry entry = content.at(next, last);
    String json = Seal.seal(Storage.JSON.toJson(entry));
    try {
      storage.publishExclusively(path, json.getBytes(StandardCharsets.UTF_8));
    } catch (FileAlreadyExistsException e) {
      throw Errors.invalid(
          "another run has written '%s' since this one began".formatted(path),
          "let one cache command at a time write to a cache",
          e);
    }
    take(entry);
    last = Seal.of(json);
    next++;
  }

  /** Returns the number of entries, damaged ones among them. */
  public synchronized int entries() {
    return next;
  }

  /** Returns the path of an entry, relative to the cache. */
  public static String entry(int number) {
    return DIRECTORY + "/" + name(number);
  }

  /** Returns the plan of the first entry, or null if it is damaged. */
  public @Nullable Plan plan() {
    return plan;
  }

  /** Returns the files that count. */
  public synchronized List<CacheFile> files() {
    return List.copyOf(files.values());
  }

  /** Returns entries that are damaged or missing, and not given up yet. */
  public List<Path> damaged() {
    return List.copyOf(damaged);
  }

  /** Returns what the plan grew by, in order. */
  public List<Part> parts() {
    return List.copyOf(parts.values());
  }

  /** Returns the teachers besides the first, by name. */
  public Map<String, OtherTeacher> teachers() {
    return Map.copyOf(teachers);
  }

  /** Returns the names of all teachers; the first has the name "". */
  public List<String> allTeachers() {
    List<String> all = new ArrayList<>(List.of(""));
    all.addAll(teachers.keySet());
    return all;
  }

  /** Returns rows of a shard that a teacher gave no finite output for, with the reason. */
  public synchronized Map<String, String> invalid(int shard, String teacher) {
    return invalid.getOrDefault(teacher, Map.of()).getOrDefault(shard, Map.of());
  }

  /** Returns the number of such rows in all shards. */
  public synchronized long invalidRows(String teacher) {
    return invalid.getOrDefault(teacher, Map.of()).values().stream().mapToLong(Map::size).sum();
  }

  /** Returns the file of a shard's inputs. */
  public Optional<CacheFile> inputs(int shard) {
    return find(shard, "", Targets.ID);
  }

  /** Returns the file of a shard that holds a column of a teacher's targets. */
  public synchronized Optional<CacheFile> find(int shard, String teacher, Column column) {
    return Optional.ofNullable(
        byShard
            .getOrDefault(shard, Map.of())
            .get(key(teacher, column.family().id(), column.name())));
  }

  /** Returns the shards whose targets were let go, and after whom. */
  public synchronized Map<Integer, Dropped> dropped() {
    return Map.copyOf(dropped);
  }

  public synchronized boolean isDropped(int shard) {
    return dropped.containsKey(shard);
  }

  /** Returns the bytes of files that were dropped. */
  public synchronized long droppedBytes() {
    return droppedBytes;
  }

  /** Returns whether a shard has all targets of a window, or had them before it was dropped. */
  public synchronized boolean isFinished(int shard, Window window) {
    return dropped.containsKey(shard)
        || window.columns().stream().allMatch(name -> has(shard, "", Targets.named(name)));
  }

  public boolean has(int shard, String teacher, Column column) {
    return find(shard, teacher, column).isPresent();
  }

  /** Returns the names of all tensor columns of a teacher's that some shard has. */
  public synchronized Set<String> columns(String teacher) {
    Set<String> names = new TreeSet<>();
    files.values().stream()
        .filter(file -> file.teacher().equals(teacher))
        .filter(file -> !file.family().equals(Family.INPUTS.id()))
        .forEach(file -> names.addAll(file.columns()));
    names.removeAll(Set.of("id", "length"));
    return names;
  }
}
