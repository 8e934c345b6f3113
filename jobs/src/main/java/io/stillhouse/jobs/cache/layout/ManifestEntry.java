package io.stillhouse.jobs.cache.layout;

import io.stillhouse.jobs.storage.Completeness;
import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The JSON form of a manifest entry. Its fields are the members of the JSON object, in this order;
 * null members are omitted.
 */
final class ManifestEntry {
  int sequence;
  @Nullable String previous;
  @Nullable CachePlan plan;
  @Nullable PlanPart part;
  @Nullable CachedTeacher teacher;
  @Nullable List<CacheFile> files;
  @Nullable List<InvalidRow> invalid;
  @Nullable List<String> revoked;
  @Nullable List<Integer> lost;
  ManifestChange.@Nullable TargetsDropped dropped;

  /** Returns the entry of a change. */
  static ManifestEntry of(ManifestChange change, int sequence, String previous) {
    ManifestEntry entry = new ManifestEntry();
    entry.sequence = sequence;
    entry.previous = previous;
    change.writeTo(entry);
    return entry;
  }

  /** Reads a sealed entry, or returns null if it is damaged. */
  static @Nullable ManifestEntry parse(String text) {
    ManifestEntry entry = Seal.read(text, ManifestEntry.class);
    return entry != null && entry.isComplete() ? entry : null;
  }

  private boolean isComplete() {
    return Stream.of(plan, part, teacher, files, invalid, revoked, lost, dropped)
        .allMatch(member -> member == null || Completeness.isComplete(member));
  }

  /** Returns the sealed JSON. */
  String toJson() {
    return Seal.seal(Storage.JSON.toJson(this));
  }

  /** Returns whether this entry names the entry with a given seal as its predecessor. */
  boolean follows(String seal) {
    return seal.equals(previous);
  }

  /** Returns the numbers of damaged entries that this one gives up. */
  List<Integer> lost() {
    return lost == null ? List.of() : lost;
  }

  /** Returns the changes that this entry records: one, unless another program combined several. */
  List<ManifestChange> changes() {
    List<ManifestChange> changes = new ArrayList<>();
    if (plan != null) {
      changes.add(new ManifestChange.PlanAdded(plan));
    }
    if (part != null) {
      changes.add(new ManifestChange.PartAdded(part));
    }
    if (teacher != null) {
      changes.add(new ManifestChange.TeacherAdded(teacher));
    }
    boolean listsInputs = plan != null || part != null; // the plan and the part list them, too
    if (files != null && !listsInputs || invalid != null) {
      changes.add(new ManifestChange.FilesAdded(orEmpty(files), orEmpty(invalid)));
    }
    if (revoked != null || lost != null) {
      changes.add(new ManifestChange.Revoked(orEmpty(revoked), lost()));
    }
    if (dropped != null) {
      changes.add(dropped);
    }
    return changes;
  }

  private static <T> List<T> orEmpty(@Nullable List<T> given) {
    return given == null ? List.of() : given;
  }
}
