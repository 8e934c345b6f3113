package io.stillhouse.jobs.train.metrics;

import io.stillhouse.train.StepReport;
import java.io.Closeable;
import java.io.IOException;
import java.time.Instant;

/** Writes the steps of one student; readers see each step as soon as it is written. */
interface StepWriter extends Closeable {
  void write(StepReport step, Instant time) throws IOException;
}
