package io.stillhouse.torch;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.junit.jupiter.api.Test;

class ScriptArchiveTest {
  private static final int LOCAL_HEADER = 0x04034b50;

  @Test
  void entriesBeginAtMultiplesOf64() throws IOException {
    ByteBuffer zip = ByteBuffer.wrap(archive()).order(ByteOrder.LITTLE_ENDIAN);

    int entries = 0;
    for (int at = 0; zip.getInt(at) == LOCAL_HEADER; entries++) {
      int start = at + 30 + zip.getShort(at + 26) + zip.getShort(at + 28);
      assertThat(start % 64).as(format("entry %d", entries)).isZero();
      at = start + zip.getInt(at + 18);
    }
    assertThat(entries).isEqualTo(6);
  }

  @Test
  void entriesContainWhatWasWritten() throws IOException {
    List<String> names = new ArrayList<>();
    try (ZipInputStream zip = new ZipInputStream(new ByteArrayInputStream(archive()))) {
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        names.add(entry.getName());
        if (entry.getName().equals("model/data/0")) {
          assertThat(zip.readAllBytes()).containsExactly(7, 8, 9);
        }
      }
    }

    assertThat(names)
        .containsExactly(
            "model/data.pkl",
            "model/code/__torch__.py",
            "model/data/0",
            "model/constants.pkl",
            "model/byteorder",
            "model/version");
  }

  private static byte[] archive() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ScriptArchive archive = new ScriptArchive("model", bytes)) {
      archive.module(new byte[] {1, 2});
      archive.source("__torch__", "class Model(Module):\n");
      archive.storage("0", ByteBuffer.wrap(new byte[] {7, 8, 9}));
    }
    return bytes.toByteArray();
  }
}
