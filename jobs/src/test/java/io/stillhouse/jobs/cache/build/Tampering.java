package io.stillhouse.jobs.cache.build;

import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.Fingerprints;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;

/** Changes a cache as no user could, so that it passes for untouched. */
public final class Tampering {
  private Tampering() {}

  /** Makes the plan vouch for the teacher's files as they are now. */
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
