package io.stillhouse.jobs.train.metrics;

import com.google.protobuf.CodedOutputStream;
import io.stillhouse.train.StepReport;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Instant;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * Writes steps as scalars of a TensorBoard event file: TFRecords that hold TensorFlow's {@code
 * Event} messages, of which scalars need seven fields (event.proto and summary.proto).
 */
final class TensorBoardFile implements StepWriter {
  private static final String VERSION = "brain.Event:2";

  // Fields of Event, SessionLog, Summary and Summary.Value.
  private static final int WALL_TIME = 1;
  private static final int STEP = 2;
  private static final int FILE_VERSION = 3;
  private static final int SUMMARY = 5;
  private static final int SESSION_LOG = 7;
  private static final int STATUS = 1;
  private static final int START = 1;
  private static final int VALUE = 1;
  private static final int TAG = 1;
  private static final int SIMPLE_VALUE = 2;

  private final OutputStream out;
  private boolean started;

  /**
   * @param out a new file, whose name must contain "tfevents"
   */
  TensorBoardFile(OutputStream out) {
    this.out = out;
  }

  @Override
  public void write(StepReport step, Instant time) throws IOException {
    if (!started) {
      out.write(record(event(time, 0, event -> event.writeString(FILE_VERSION, VERSION))));
      // TensorBoard drops later steps of the files that a killed run wrote before this one.
      byte[] start = message(log -> log.writeEnum(STATUS, START));
      out.write(
          record(event(time, step.step(), event -> event.writeByteArray(SESSION_LOG, start))));
      started = true;
    }
    byte[] scalars = scalars(StepNumbers.of(step));
    out.write(record(event(time, step.step(), event -> event.writeByteArray(SUMMARY, scalars))));
    out.flush();
  }

  private static byte[] event(Instant time, long step, Fields what) throws IOException {
    return message(
        event -> {
          event.writeDouble(WALL_TIME, time.toEpochMilli() / 1e3);
          if (step != 0) {
            event.writeInt64(STEP, step);
          }
          what.write(event);
        });
  }

  private static byte[] scalars(Map<String, Double> numbers) throws IOException {
    return message(
        summary -> {
          for (Map.Entry<String, Double> number : numbers.entrySet()) {
            byte[] value =
                message(
                    fields -> {
                      fields.writeString(TAG, number.getKey());
                      fields.writeFloat(SIMPLE_VALUE, number.getValue().floatValue());
                    });
            summary.writeByteArray(VALUE, value);
          }
        });
  }

  private interface Fields {
    void write(CodedOutputStream out) throws IOException;
  }

  private static byte[] message(Fields fields) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    fields.write(out);
    out.flush();
    return bytes.toByteArray();
  }

  /** Returns the length, the length's checksum, the bytes and their checksum. */
  private static byte[] record(byte[] bytes) {
    ByteBuffer record =
        ByteBuffer.allocate(Long.BYTES + bytes.length + 2 * Integer.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
    record.putLong(bytes.length);
    record.putInt(checksum(record.array(), Long.BYTES));
    record.put(bytes).putInt(checksum(bytes, bytes.length));
    return record.array();
  }

  /** Returns the masked CRC-32C of TFRecords, which suits data that itself contains checksums. */
  private static int checksum(byte[] bytes, int count) {
    CRC32C sum = new CRC32C();
    sum.update(bytes, 0, count);
    return Integer.rotateRight((int) sum.getValue(), 15) + 0xa282ead8;
  }

  @Override
  public void close() throws IOException {
    out.close();
  }
}
