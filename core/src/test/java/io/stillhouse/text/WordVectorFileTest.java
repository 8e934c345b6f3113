package io.stillhouse.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WordVectorFileTest {
  @TempDir private Path directory;

  @Test
  void readsTheFirstWordsOfLetters() throws IOException {
    WordVectorFile file = read("the 1 2\n, 3 4\ncafé -0.5 1e-3\nthe 9 9\nlast 5 6\n", 2);
    assertThat(file.words()).containsExactly("the", "café");
    assertThat(file.width()).isEqualTo(2);
    assertThat(file.values()).containsExactly(1, 2, -0.5f, 1e-3f);
  }

  @Test
  void namesTheFirstBrokenLine() {
    String mend = "; name a text file as GloVe's, a word and its numbers a line";
    assertThatThrownBy(() -> read("the 1 2\nof 3\n", 9))
        .isInstanceOf(StillhouseException.class)
        .hasMessageEndingWith("vectors.txt' have in line 2 1 numbers, not 2 as before" + mend);
    assertThatThrownBy(() -> read("the 1 2\nof 3 x\n", 9))
        .hasMessageEndingWith("have in line 2 'x' where a number should be" + mend);
    assertThatThrownBy(() -> read("the NaN\n", 9))
        .hasMessageEndingWith("have in line 1 a number that is not finite" + mend);
    assertThatThrownBy(() -> read("once\n", 9))
        .hasMessageEndingWith("have in line 1 a word without numbers" + mend);
    assertThatThrownBy(() -> read("", 9)).hasMessageContaining("hold no word of letters");
  }

  @Test
  void refusesWhatIsNotUtf8() throws IOException {
    Path file = directory.resolve("vectors.txt");
    Files.write(file, new byte[] {'a', ' ', '1', '\n', (byte) 0xff, ' ', '2', '\n'});
    assertThatThrownBy(() -> WordVectorFile.read(file, 9))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("are not UTF-8");
  }

  private WordVectorFile read(String text, int most) throws IOException {
    return WordVectorFile.read(Files.writeString(directory.resolve("vectors.txt"), text), most);
  }
}
