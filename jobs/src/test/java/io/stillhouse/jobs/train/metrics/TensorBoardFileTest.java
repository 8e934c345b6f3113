package io.stillhouse.jobs.train.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnknownFieldSet;
import io.stillhouse.jobs.train.Steps;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** Reads the file back as specified by TensorFlow's record_reader.cc and event.proto. */
class TensorBoardFileTest {
  private static final Instant TIME = Instant.parse("2026-01-02T03:04:05.500Z");

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  @Test
  void matchesHeaderOfTensorFlow() throws IOException {
    write(1);
    // Length 24 and its checksum: the first twelve bytes of every event file that TensorFlow makes.
    assertThat(HexFormat.of().formatHex(out.toByteArray(), 0, 12))
        .isEqualTo("1800000000000000a37f4b22");
    UnknownFieldSet first = events().get(0);
    assertThat(Double.longBitsToDouble(first.getField(1).getFixed64List().get(0)))
        .isEqualTo(TIME.getEpochSecond() + 0.5);
    assertThat(text(first, 3)).isEqualTo("brain.Event:2");
  }

  @Test
  void marksStartOfResumedRun() throws IOException {
    write(7);
    UnknownFieldSet start = events().get(1);
    assertThat(step(start)).isEqualTo(7);
    UnknownFieldSet session = UnknownFieldSet.parseFrom(bytes(start, 7));
    assertThat(session.getField(1).getVarintList()).containsExactly(1L);
  }

  @Test
  void containsEveryNumberOfEveryStep() throws IOException {
    write(1, 4);
    List<UnknownFieldSet> events = events();
    assertThat(events).hasSize(4);
    for (int i = 0; i < 2; i++) {
      long step = i == 0 ? 1 : 4;
      assertThat(step(events.get(2 + i))).isEqualTo(step);
      Map<String, Float> expected = new LinkedHashMap<>();
      StepNumbers.of(Steps.of(step))
          .forEach((name, value) -> expected.put(name, value.floatValue()));
      assertThat(scalars(events.get(2 + i))).isEqualTo(expected);
    }
    assertThat(scalars(events.get(3)))
        .containsEntry("loss", 2.5f)
        .containsEntry("soft-label", 1.25f)
        .containsEntry("learning-rate", 3e-5f)
        .containsEntry("gradient-norm", 1.25f)
        .containsEntry("tokens-per-second", 512f)
        .containsEntry("wait-share", 0.25f);
  }

  private void write(long... steps) throws IOException {
    try (TensorBoardFile file = new TensorBoardFile(out)) {
      for (long step : steps) {
        file.write(Steps.of(step), TIME);
      }
    }
  }

  /** Checks the checksums and returns the events. */
  private List<UnknownFieldSet> events() throws InvalidProtocolBufferException {
    List<UnknownFieldSet> events = new ArrayList<>();
    byte[] bytes = out.toByteArray();
    ByteBuffer records = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    while (records.hasRemaining()) {
      int from = records.position();
      int length = Math.toIntExact(records.getLong());
      assertThat(unmasked(records.getInt()))
          .isEqualTo(crc(Arrays.copyOfRange(bytes, from, from + 8)));
      byte[] event = new byte[length];
      records.get(event);
      assertThat(unmasked(records.getInt())).isEqualTo(crc(event));
      events.add(UnknownFieldSet.parseFrom(event));
    }
    return events;
  }

  private static int crc(byte[] bytes) {
    CRC32C sum = new CRC32C();
    sum.update(bytes);
    return (int) sum.getValue();
  }

  /** crc32c.h: Unmask. */
  private static int unmasked(int masked) {
    int rotated = masked - 0xa282ead8;
    return (rotated >>> 17) | (rotated << 15);
  }

  private static Map<String, Float> scalars(UnknownFieldSet event)
      throws InvalidProtocolBufferException {
    UnknownFieldSet summary = UnknownFieldSet.parseFrom(bytes(event, 5));
    Map<String, Float> scalars = new LinkedHashMap<>();
    for (ByteString each : summary.getField(1).getLengthDelimitedList()) {
      UnknownFieldSet value = UnknownFieldSet.parseFrom(each);
      scalars.put(text(value, 1), Float.intBitsToFloat(value.getField(2).getFixed32List().get(0)));
    }
    return scalars;
  }

  private static long step(UnknownFieldSet event) {
    return event.getField(2).getVarintList().get(0);
  }

  private static ByteString bytes(UnknownFieldSet message, int field) {
    return message.getField(field).getLengthDelimitedList().get(0);
  }

  private static String text(UnknownFieldSet message, int field) {
    return bytes(message, field).toStringUtf8();
  }
}
