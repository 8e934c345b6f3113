package io.stillhouse.jobs.cache.build;

import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.Fingerprints;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;

/** Changes files of a cache together with their recorded hashes, so that checks pass. */
public final class Tampering {
  private Tampering() {}

  /** Records the current hashes of the teacher's files in the plan. */
  public static void acceptTeacher(Path cache) throws IOException {
    Storage storage = new Storage(new Configuration());
    CachePlan plan = CachePlan.first(storage, new org.apache.hadoop.fs.Path(cache.toUri()));
    CachePlan changed =
        new CachePlan(
            plan.version(),
            plan.fingerprints(),
            plan.part(),
            Fingerprints.directory(storage, cache.resolve(TeacherFolder.NAME)),
            plan.window());
    Files.writeString(cache.resolve(CachePlan.FILE), changed.toJson());
  }
}
