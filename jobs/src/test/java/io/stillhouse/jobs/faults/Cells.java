package io.stillhouse.jobs.faults;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.example.GroupReadSupport;

/**
 * Every cell of a cache, read by Parquet alone from the files that the manifest names: what is
 * compared is what lies there, not what our own reader makes of it.
 */
final class Cells {
  private static final Gson GSON = new Gson();

  private final Path cache;
  private final FileSystem fs;
  private final List<JsonObject> files = new ArrayList<>();

  /** How two caches differ. All is well where only {@code cells} is not 0. */
  record Difference(int cells, int lost, int doubled, int unequal) {
    boolean none() {
      return cells > 0 && lost == 0 && doubled == 0 && unequal == 0;
    }
  }

  private Cells(Path cache, FileSystem fs) {
    this.cache = cache;
    this.fs = fs;
  }

  /** Reads the manifest of a cache, or what there is of it; empty where there is no cache. */
  static Cells of(String cache, Configuration hadoop) throws IOException {
    Path path = new Path(cache);
    Cells cells = new Cells(path, path.getFileSystem(hadoop));
    Path manifest = new Path(path, "manifest");
    if (cells.fs.exists(manifest)) {
      List<Path> entries =
          Arrays.stream(cells.fs.listStatus(manifest))
              .map(FileStatus::getPath)
              .filter(entry -> entry.getName().matches("\\d+\\.json"))
              .sorted()
              .toList();
      for (Path entry : entries) {
        String json = new String(cells.bytes(entry), StandardCharsets.UTF_8);
        JsonObject parsed = GSON.fromJson(json, JsonObject.class);
        if (parsed.has("files")) { // an entry may revoke alone
          parsed.getAsJsonArray("files").forEach(file -> cells.files.add(file.getAsJsonObject()));
        }
      }
    }
    return cells;
  }

  /** Returns the paths of committed files, with the hash of what lies there now. */
  Map<String, String> committed() throws IOException {
    Map<String, String> hashes = new TreeMap<>();
    for (JsonObject file : files) {
      String path = file.get("path").getAsString();
      hashes.put(path, sha256(bytes(new Path(cache, path))));
    }
    return hashes;
  }

  /** Returns the numbers of units of which the manifest has targets, whole. */
  Set<Integer> computedUnits(int families) {
    return files.stream()
        .filter(file -> !file.get("family").getAsString().equals("inputs"))
        .collect(
            Collectors.groupingBy(
                file -> file.get("unit").getAsInt(), TreeMap::new, Collectors.counting()))
        .entrySet()
        .stream()
        .filter(unit -> unit.getValue() >= families)
        .map(Map.Entry::getKey)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** Returns how many units were computed by the last run, as it says itself. */
  int computedByLastRun() throws IOException {
    String json = new String(bytes(new Path(cache, "cache.json")), StandardCharsets.UTF_8);
    return GSON.fromJson(json, JsonObject.class).get("computedUnits").getAsInt();
  }

  /** Compares with an undisturbed cache: the same keys, each once, and the same bytes. */
  Difference against(Cells undisturbed, Configuration hadoop) throws IOException {
    Map<String, List<String>> expected = undisturbed.cells(hadoop);
    Map<String, List<String>> actual = cells(hadoop);
    int lost = 0;
    int doubled = 0;
    int unequal = 0;
    for (Map.Entry<String, List<String>> cell : expected.entrySet()) {
      List<String> found = actual.getOrDefault(cell.getKey(), List.of());
      lost += found.isEmpty() ? 1 : 0;
      doubled += found.size() > 1 ? 1 : 0;
      unequal += found.isEmpty() || found.equals(cell.getValue()) ? 0 : 1;
    }
    for (String key : actual.keySet()) {
      unequal += expected.containsKey(key) ? 0 : 1;
    }
    return new Difference(expected.size(), lost, doubled, unequal);
  }

  /** Returns a hash of each cell by "row key, column"; a list of more than one is a cell twice. */
  private Map<String, List<String>> cells(Configuration hadoop) throws IOException {
    Map<String, List<String>> cells = new TreeMap<>();
    for (JsonObject file : files) {
      boolean inputs = file.get("family").getAsString().equals("inputs");
      Path path = new Path(cache, file.get("path").getAsString());
      try (ParquetReader<Group> reader =
          ParquetReader.builder(new GroupReadSupport(), path).withConf(hadoop).build()) {
        for (Group row = reader.read(); row != null; row = reader.read()) {
          String key = row.getString("id", 0);
          for (JsonElement named : file.getAsJsonArray("columns")) {
            String column = named.getAsString();
            if (inputs || !column.equals("id") && !column.equals("length")) {
              cells
                  .computeIfAbsent(key + " " + column, cell -> new ArrayList<>())
                  .add(cell(row, column));
            }
          }
        }
      }
    }
    return cells;
  }

  private static String cell(Group row, String column) {
    int field = row.getType().getFieldIndex(column);
    if (row.getFieldRepetitionCount(field) == 0) {
      return "null";
    }
    return row.getType()
            .getType(field)
            .asPrimitiveType()
            .getPrimitiveTypeName()
            .name()
            .equals("BINARY")
        ? sha256(row.getBinary(field, 0).getBytes())
        : row.getValueToString(field, 0);
  }

  private byte[] bytes(Path file) throws IOException {
    try (InputStream in = fs.open(file)) {
      return in.readAllBytes();
    }
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
