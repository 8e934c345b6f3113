package io.stillhouse.jobs.cache;

import com.google.gson.JsonParseException;
import io.stillhouse.error.Errors;
import io.stillhouse.target.Column;
import io.stillhouse.target.Family;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * The files that count. Each entry is a numbered JSON file that names its predecessor; the driver
 * alone appends, and never over an entry that is there.
 */
final class Manifest {
  private final Storage storage;
  private final Path directory;
  private final List<CacheFile> files = new ArrayList<>();
  private int next;

  /** One entry. */
  record Entry(int sequence, int previous, List<CacheFile> files) {}

  private Manifest(Storage storage, Path directory) {
    this.storage = storage;
    this.directory = directory;
  }

  /** Reads the manifest of a cache; one without entries is empty. */
  static Manifest read(Storage storage, Path cache) throws IOException {
    Manifest manifest = new Manifest(storage, new Path(cache, "manifest"));
    for (Path path : manifest.entries()) {
      Entry entry = entry(storage.readText(path));
      if (entry == null || entry.sequence() != manifest.next) {
        throw Errors.invalid(
            "manifest entry '%s' is damaged, or one before it is missing".formatted(path),
            "restore it from a backup, or delete the cache and run cache again");
      }
      manifest.files.addAll(entry.files());
      manifest.next++;
    }
    return manifest;
  }

  private List<Path> entries() throws IOException {
    FileSystem fs = storage.fileSystem(directory);
    if (!fs.exists(directory)) {
      return List.of();
    }
    return Arrays.stream(fs.listStatus(directory))
        .map(FileStatus::getPath)
        .filter(path -> path.getName().matches("\\d+\\.json"))
        .sorted(Comparator.comparing(Path::getName))
        .toList();
  }

  /** Reads an entry, or returns null if a writer was killed in the middle of it. */
  private static Entry entry(String json) {
    try {
      return Storage.JSON.fromJson(json, Entry.class);
    } catch (JsonParseException e) {
      return null;
    }
  }

  /** Appends an entry, or fails where another driver has written one of that number. */
  void append(List<CacheFile> added) throws IOException {
    Path path = new Path(directory, "%08d.json".formatted(next));
    String json = Storage.JSON.toJson(new Entry(next, next - 1, added)) + "\n";
    try {
      storage.publishExclusively(path, json.getBytes(StandardCharsets.UTF_8));
    } catch (FileAlreadyExistsException e) {
      throw Errors.invalid(
          "another run has written '%s' since this one began".formatted(path),
          "let one cache command at a time write to a cache",
          e);
    }
    files.addAll(added);
    next++;
  }

  List<CacheFile> files() {
    return List.copyOf(files);
  }

  /** Returns the file of a unit that holds a column. */
  Optional<CacheFile> find(int unit, Family family, Column column) {
    return of(unit, family).filter(file -> file.columns().contains(column.name())).findFirst();
  }

  private Stream<CacheFile> of(int unit, Family family) {
    return files.stream().filter(file -> file.unit() == unit && file.family().equals(family.id()));
  }
}
