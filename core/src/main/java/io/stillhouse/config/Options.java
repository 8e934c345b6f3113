package io.stillhouse.config;

import static io.stillhouse.config.Option.atLeast;
import static io.stillhouse.config.Option.bool;
import static io.stillhouse.config.Option.checked;
import static io.stillhouse.config.Option.integers;
import static io.stillhouse.config.Option.list;
import static io.stillhouse.config.Option.number;
import static io.stillhouse.config.Option.oneOf;
import static io.stillhouse.config.Option.seed;
import static io.stillhouse.config.Option.text;
import static io.stillhouse.config.Option.weight;

import io.stillhouse.spec.ExportFormat;
import io.stillhouse.spec.Metric;
import java.lang.reflect.Modifier;
import java.nio.charset.Charset;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Every key that a recipe may contain. The settings table of conf/README.md and the help of each
 * command are generated from {@link #ALL} and {@link CommandKeys}.
 */
public final class Options {
  private static final List<String> METRIC_NAMES =
      Arrays.stream(Metric.values()).map(Metric::id).toList();

  public static final Option<String> TASK =
      checked(
          "task",
          "",
          t -> t.toLowerCase(Locale.ROOT),
          t -> t.isEmpty() || NamedTask.ids().contains(t),
          "one of " + String.join(", ", NamedTask.ids()) + ", or empty",
          "A GLUE task, read from the files that GLUE distributes. It sets columns, format, "
              + "maximum length, kind of label and metrics wherever the recipe does not.");

  // teacher
  public static final Option<String> TEACHER =
      text(
          "teacher.path",
          null,
          "Hugging Face directory of the teacher. The import command creates one.");
  public static final Option<String> TEACHER_NAME =
      checked(
          "teacher.name",
          "",
          Function.identity(),
          n -> n.matches("([A-Za-z0-9][A-Za-z0-9-]*)?"),
          "letters, digits or '-'",
          "Name of another teacher of the same cache, whose targets are stored for the same "
              + "shards. Empty for the teacher that the cache was started with.");

  // corpus
  public static final Option<List<String>> CORPUS_PATH =
      list(
          "corpus.path",
          null,
          "Files or directories of text. The cache command adds files that the cache does not "
              + "contain yet. Quote names that contain a comma.");
  public static final Option<List<String>> CORPUS_UNLABELLED =
      list(
          "corpus.unlabelled",
          "[]",
          "Files or directories of further text without labels, in the columns of the corpus "
              + "except for the label. The cache command adds their rows; students learn from the "
              + "teacher's outputs for them, and baselines do not read them.");
  public static final Option<String> CORPUS_FORMAT =
      oneOf(
          "corpus.format",
          "auto",
          List.of("auto", "text", "csv", "tsv", "json", "jsonl", "parquet", "orc"),
          "Format of the corpus. auto selects it by the file's extension.");
  public static final Option<Boolean> CORPUS_HEADER =
      bool(
          "corpus.header",
          "true",
          "Whether the first line of a CSV or TSV file names the columns.");
  public static final Option<Charset> CORPUS_ENCODING =
      checked(
          "corpus.encoding",
          "UTF-8",
          Charset::forName,
          charset -> true,
          "a character set of Java, such as UTF-8, ISO-8859-1, windows-1252 or UTF-16",
          "Character encoding of CSV, TSV, JSON and text files. Parquet and ORC are always UTF-8.");
  public static final Option<String> CORPUS_TEXT =
      text(
          "corpus.text",
          "",
          "Column of the text, or of the first text of a pair: a name, or an index from 0 in a "
              + "file without a header.");
  public static final Option<String> CORPUS_PAIR =
      text("corpus.pair", "", "Column of the second text of a pair. Empty for single texts.");
  public static final Option<String> CORPUS_LABEL =
      text("corpus.label", "", "Column of the label. Empty if there is none.");
  public static final Option<String> CORPUS_ID =
      text("corpus.id", "", "Column of the row key. Empty for file:ordinal.");
  public static final Option<Integer> CORPUS_LIMIT =
      atLeast(
          "corpus.limit",
          "0",
          0,
          "Number of rows to read from the start of the corpus, and as many from "
              + "corpus.unlabelled. 0 for all.");
  public static final Option<List<String>> CORPUS_CLASSES =
      checked(
          "corpus.classes",
          "[]",
          ListText::parseNames,
          l -> l.stream().distinct().count() == l.size(),
          "a list of distinct names such as [a, b]",
          "Names of the classes in the data, in the order of their ids. Empty for the model's own; "
              + "finetune then takes those in the data: numbers by value, then words.");
  public static final Option<String> CORPUS_SEGMENT =
      oneOf(
          "corpus.segment",
          "auto",
          List.of("auto", "row", "sentences", "windows"),
          "What becomes a row: the whole text, each sentence, or each window of the maximum "
              + "length. auto is windows for corpus.format=text, else row.");
  public static final Option<String> CORPUS_TOO_LONG =
      oneOf(
          "corpus.too-long",
          "auto",
          List.of("auto", "truncate", "split"),
          "What happens to a row that is longer than the maximum length. auto splits prose and "
              + "truncates tables.");
  public static final Option<Integer> MAX_LENGTH =
      atLeast(
          "corpus.max-length",
          "128",
          3,
          "Maximum number of tokens in a row, including [CLS] and [SEP].");

  public static final Option<String> INVALID_ROWS =
      oneOf(
          "corpus.invalid-rows",
          "skip",
          List.of("fail", "skip"),
          "What a command does with invalid rows: those that cannot be read, that have no text or "
              + "no label, or for which the teacher's outputs are not finite. fail stops at the "
              + "first; skip leaves them out, and the command's last line counts them.");
  public static final Option<Double> MAX_INVALID =
      number(
          "corpus.max-invalid",
          "0.01",
          share -> share >= 0 && share <= 1,
          "a number from 0 to 1",
          "Largest share of invalid rows that corpus.invalid-rows=skip leaves out. A command stops "
              + "if there are more.");

  // cache and targets
  public static final Option<String> CACHE = text("cache.path", null, "Directory of the cache.");
  public static final Option<Integer> SHARD_TOKENS =
      atLeast(
          "cache.shard-tokens",
          "32768",
          256,
          "Maximum number of tokens in a shard, the smallest piece of work that is retried. A small"
              + " corpus is cut into 16 shards; shards whose targets would exceed 256 MB are cut "
              + "further.");
  public static final Option<Integer> CACHE_BATCH_TOKENS =
      atLeast(
          "cache.batch-tokens",
          "2048",
          16,
          "Number of tokens, including padding, that the teacher computes at once.");
  public static final Option<String> CACHE_PRECISION =
      oneOf(
          "cache.precision",
          "float32",
          List.of("float32", "bfloat16"),
          "Precision of the teacher's linear layers. bfloat16 rounds the operands and results of "
              + "their matrix products; the processor must support it.");
  public static final Option<Long> CACHE_SEED =
      seed(
          "cache.seed",
          "Seed of the order of the cache's rows, of masking, and of the rows that verify and "
              + "plan sample.");
  public static final Option<Integer> CACHE_WINDOW =
      atLeast(
          "cache.window",
          "0",
          0,
          "Number of shards whose targets may be on disk at once. The cache command waits for "
              + "train and drops targets that every student has read. 0 keeps all. Needs "
              + "train.order=plan.");
  public static final Option<List<Integer>> TARGETS_HIDDEN =
      integers(
          "targets.hidden", "[]", "Teacher hidden states to store. 0 is the embedding output.");
  public static final Option<List<Integer>> TARGETS_ATTENTION =
      integers(
          "targets.attention",
          "[]",
          "Teacher blocks, counted from 1, whose raw attention scores students learn from.");
  public static final Option<List<Integer>> TARGETS_VALUES =
      integers(
          "targets.value-relations",
          "[]",
          "Teacher blocks, counted from 1, whose value relations students learn from.");
  public static final Option<String> TARGETS_SCORES =
      oneOf(
          "targets.scores",
          "derived",
          List.of("derived", "stored"),
          "Whether attention scores and value relations are stored, or derived in training from "
              + "the stored hidden state below their block. Query and key relations, and a number "
              + "of heads other than the teacher's, need derived.");
  public static final Option<String> TARGETS_DTYPE =
      oneOf(
          "targets.dtype",
          "float16",
          List.of("float32", "float16", "int8"),
          "Storage type of tensors. int8 has one scale per token, and the largest values are "
              + "stored separately.");
  public static final Option<String> MLM_LOGITS =
      oneOf(
          "targets.mlm-logits",
          "derived",
          List.of("derived", "dense", "top-k", "sampled", "none"),
          "How masked-LM soft labels are stored: derived computes them in training from the last "
              + "hidden state with the teacher's head; dense stores all logits, top-k the k "
              + "largest and the total probability of the others, sampled draws from the softmax; "
              + "none stores none.");
  public static final Option<String> MLM_POSITIONS =
      oneOf(
          "targets.mlm-positions",
          "all",
          List.of("all", "masked"),
          "Tokens whose masked-LM soft labels are stored.");
  public static final Option<Integer> TOP_K =
      atLeast(
          "targets.top-k",
          "64",
          1,
          "Number of logits per token that targets.mlm-logits=top-k stores.");
  public static final Option<Integer> SAMPLES =
      checked(
          "targets.samples",
          "50",
          Integer::valueOf,
          n -> n >= 1 && n <= 255,
          "a whole number from 1 to 255",
          "Number of draws from each token's softmax for targets.mlm-logits=sampled.");
  public static final Option<List<Double>> TEMPERATURES =
      checked(
          "targets.temperatures",
          "[]",
          text -> ListText.parse(text).stream().map(Double::valueOf).toList(),
          l -> l.stream().allMatch(t -> t > 0 && Double.isFinite(t)),
          "a list of numbers > 0 such as [1, 2]",
          "Temperatures that students may use. top-k stores a log-partition for each; sampled "
              + "draws at a single one. Empty for loss.soft-label.temperature.");
  public static final Option<Double> MASK_PROBABILITY =
      number(
          "targets.mask-probability",
          "0.15",
          p -> p > 0 && p < 1,
          "a number > 0 and < 1",
          "Share of tokens that are masked for a masked LM.");
  public static final Option<Integer> MASK_VARIANTS =
      atLeast(
          "targets.mask-variants",
          "1",
          1,
          "Number of differently masked copies of each row for a masked LM.");

  // student
  public static final Option<String> STUDENT_NAME =
      checked(
          "student.name",
          "student",
          Function.identity(),
          n -> n.matches("[A-Za-z0-9][A-Za-z0-9._-]*"),
          "letters, digits, '.', '_' or '-'",
          "Name of the student, and of its directory in train.path.");
  public static final Option<String> ARCHITECTURE =
      oneOf(
          "student.architecture",
          "bert",
          List.of("bert", "distilbert", "albert", "bilstm"),
          "Architecture of the student. distilbert has no segment embeddings. The blocks of albert"
              + " share one set of weights, initialized from the first of student.init-layers."
              + " bilstm is one bidirectional LSTM under a ReLU layer; it learns from logits and"
              + " labels only.");
  public static final Option<Integer> STUDENT_LAYERS =
      atLeast(
          "student.layers",
          null,
          1,
          "Number of student blocks. Required unless the student is a BiLSTM.");
  public static final Option<Integer> STUDENT_HIDDEN =
      atLeast(
          "student.hidden-size",
          "0",
          0,
          "Hidden size of the student. 0 for the teacher's. For a BiLSTM, the number of hidden "
              + "units per direction, which must be set.");
  public static final Option<Integer> STUDENT_EMBEDDING =
      atLeast(
          "student.embedding-size",
          "0",
          0,
          "Width of the embedding tables of an ALBERT student (128 in the paper). 0 for that of an "
              + "ALBERT teacher, else the student's hidden size.");
  public static final Option<Integer> STUDENT_HEADS =
      atLeast(
          "student.heads",
          "0",
          0,
          "Number of attention heads in each student block. 0 for the teacher's.");
  public static final Option<Integer> STUDENT_INTERMEDIATE =
      atLeast(
          "student.intermediate-size",
          "0",
          0,
          "Width of the feed-forward layer. 0 for the teacher's if the hidden sizes are equal, "
              + "else four times the student's hidden size. For a BiLSTM, the width of the ReLU "
              + "layer; 0 for four thirds of the hidden size.");
  public static final Option<Double> STUDENT_DROPOUT =
      number(
          "student.dropout",
          "0.1",
          p -> p >= 0 && p < 1,
          "a number >= 0 and < 1",
          "Dropout probability of hidden states and attention in training; for a BiLSTM, after the "
              + "ReLU layer.");
  public static final Option<String> WORD_VECTORS =
      text(
          "student.word-vectors",
          "teacher",
          "Initial word vectors of a BiLSTM: teacher for the teacher's table, random, or a text "
              + "file in GloVe's format. Word pieces that the file does not contain are random.");
  public static final Option<Integer> WORD_VECTOR_SIZE =
      atLeast(
          "student.word-vector-size",
          "0",
          0,
          "Width of a BiLSTM's random word vectors. 0 for 300. The teacher's table and files "
              + "determine their own width.");
  public static final Option<String> LAYER_MAP =
      checked(
          "student.layer-map",
          "uniform",
          Function.identity(),
          m -> m.matches("uniform|top|bottom|\\[\\s*\\d{1,9}(\\s*,\\s*\\d{1,9})*\\s*\\]"),
          "uniform, top, bottom or a list such as [0, 3, 6, 9, 12]",
          "Teacher hidden state for each student hidden state 0..M.");
  public static final Option<String> STUDENT_INIT =
      text(
          "student.init",
          "teacher",
          "Initial weights: teacher, random, or the path of a Hugging Face directory.");
  public static final Option<List<Integer>> INIT_LAYERS =
      integers(
          "student.init-layers",
          "[]",
          "Blocks, counted from 1, that initialize the student's blocks. Empty for the blocks of "
              + "the layer map, or for all blocks if the model in student.init has as many as the "
              + "student.");
  public static final Option<String> HEAD_IMPORTANCE =
      text(
          "student.head-importance",
          "",
          "Output file of the head-importance command for the model that the student is "
              + "initialized from. It determines which heads are pruned.");
  public static final Option<Double> PRUNED_HEADS =
      number(
          "student.pruned-heads",
          "0",
          share -> share >= 0 && share < 1,
          "a number >= 0 and < 1",
          "Share of the student's attention heads to prune, the least important first. Each "
              + "block keeps at least one. Not allowed with losses on attention or relations.");

  // loss
  public static final Option<Double> SOFT_WEIGHT =
      weight("loss.soft-label.weight", "Weight of the loss on the teacher's logits.");
  public static final Option<String> SOFT_KIND =
      oneOf(
          "loss.soft-label.kind",
          "auto",
          List.of("auto", "kl", "mse"),
          "How logits are compared. auto is mse for regression, which predicts no distribution, "
              + "else kl.");
  public static final Option<Double> TEMPERATURE =
      number(
          "loss.soft-label.temperature",
          "2.0",
          t -> t > 0 && Double.isFinite(t),
          "a finite number > 0",
          "Temperature by which both models' logits are divided before the softmax (no unit). The "
              + "KL divergence is multiplied by its square.");
  public static final Option<String> SOFT_POSITIONS =
      oneOf(
          "loss.soft-label.positions",
          "all",
          List.of("all", "masked"),
          "Tokens that have a soft-label loss, for a masked LM.");
  public static final Option<Double> HARD_WEIGHT =
      weight(
          "loss.hard-label.weight",
          "Weight of the loss on the data's labels: cross-entropy, squared error, or masked-LM "
              + "cross-entropy.");
  public static final Option<List<String>> CLASS_WEIGHTS =
      checked(
          "loss.hard-label.class-weights",
          "[]",
          ListText::parse,
          l -> l.equals(List.of("balanced")) || l.isEmpty() || areWeights(l),
          "balanced, or a list of numbers >= 0, not all 0, such as [1, 2.5]",
          "Weights of the classes in the loss on labels, in the order of their ids. balanced is "
              + "rows / (classes x rows of the class). Empty for equal weights.");
  public static final Option<Double> COSINE_WEIGHT =
      weight("loss.hidden-cosine.weight", "Weight of 1 - cosine between hidden states.");
  public static final Option<String> COSINE_LAYERS =
      oneOf(
          "loss.hidden-cosine.layers",
          "last",
          List.of("last", "all"),
          "Mapped hidden states that have a cosine loss.");
  public static final Option<Double> HIDDEN_WEIGHT =
      weight(
          "loss.hidden-mse.weight",
          "Weight of the squared error of the mapped hidden states 1..M, summed over layers.");
  public static final Option<Double> EMBEDDING_WEIGHT =
      weight("loss.embedding-mse.weight", "Weight of the squared error of the embedding output.");
  public static final Option<Double> FIRST_TOKEN_WEIGHT =
      weight(
          "loss.first-token-mse.weight",
          "Weight of PKD's squared distance between the normalized first-token states, summed over"
              + " hidden states 1..M-1. For 6 of 12 layers, PKD-Skip is student.layer-map=[0, 2, 4,"
              + " 6, 8, 10, 12] and PKD-Last [0, 7, 8, 9, 10, 11, 12].");
  public static final Option<String> PROJECTION =
      oneOf(
          "loss.projection",
          "per-layer",
          List.of("per-layer", "shared", "single"),
          "Which hidden states share the matrix that maps them to the teacher's width, if the"
              + " widths differ. shared has one matrix for the embedding output and one for all"
              + " other states, as in the TinyBERT paper; single has one for all, as in its"
              + " released code.");
  public static final Option<Double> ATTENTION_WEIGHT =
      weight(
          "loss.attention-mse.weight",
          "Weight of the squared error of raw attention scores, summed over the mapped blocks.");
  public static final Option<Double> ATTENTION_KL_WEIGHT =
      weight(
          "loss.attention-kl.weight",
          "Weight of MiniLM's KL divergence between attention distributions.");
  public static final Option<Double> QUERY_WEIGHT =
      weight(
          "loss.query-relation.weight",
          "Weight of MiniLMv2's KL divergence between query relations, the softmax of the "
              + "products of queries with each other.");
  public static final Option<Double> KEY_WEIGHT =
      weight("loss.key-relation.weight", "Weight of the KL divergence between key relations.");
  public static final Option<Double> VALUE_WEIGHT =
      weight(
          "loss.value-relation.weight",
          "Weight of the KL divergence between value relations, also part of MiniLM.");
  public static final Option<Integer> RELATION_HEADS =
      atLeast(
          "loss.relation.heads",
          "0",
          0,
          "Number of heads that queries, keys and values are divided into for relations; it must "
              + "divide both widths. 0 for the models' own number of heads, which must then be "
              + "equal.");
  public static final Option<String> RELATION_LAYERS =
      oneOf(
          "loss.relation.layers",
          "last",
          List.of("last", "all"),
          "Mapped blocks that have attention-kl and relation losses. Losses are summed over "
              + "blocks.");
  public static final Option<List<Map<String, String>>> TEACHERS =
      checked(
          "loss.teachers",
          "[]",
          SweepText::parseObjects,
          t -> true,
          "a list of teachers, such as [{ name = b, cache = cache-b, weight = 0.5, terms ="
              + " [soft-label] }]",
          "Additional teachers for the rows of cache.path, whose targets are found by row key. Each"
              + " has a name, a cache, the teacher's name in that cache, a weight (default 1), a"
              + " layer-map (default the student's) and the terms it contributes to (default"
              + " soft-label). A term is the weighted mean over its teachers; the validation loss"
              + " is the first teacher's.");
  public static final Option<Double> TEACHER_WEIGHT =
      number(
          "loss.teacher-weight",
          "1.0",
          w -> w > 0 && Double.isFinite(w),
          "a finite number > 0",
          "Weight of the first teacher, that of cache.path and teacher.name, relative to those in "
              + "loss.teachers.");
  public static final Option<String> MISSING_ROWS =
      oneOf(
          "loss.missing-rows",
          "refuse",
          List.of("refuse", "leave-out"),
          "What happens if a cache of loss.teachers has no targets for some rows: the command "
              + "is refused, or no student is trained on these rows, which are reported.");

  // train
  public static final Option<String> TRAIN_PATH =
      text("train.path", "students", "Directory of the students.");
  public static final Option<String> VALIDATION =
      text(
          "train.validation",
          "",
          "Cache of other rows by the same teacher. Each student's loss over it is reported.");
  public static final Option<String> METRICS =
      text(
          "train.metrics",
          "",
          "Directory for metrics written during training, as JSON lines and TensorBoard events. "
              + "Empty for _metrics in train.path; none writes no files.");
  public static final Option<Integer> EPOCHS =
      atLeast("train.epochs", "3", 1, "Number of passes over the training rows.");
  public static final Option<Integer> MAX_STEPS =
      atLeast("train.max-steps", "0", 0, "Maximum number of optimizer steps. 0 for no limit.");
  public static final Option<Integer> BATCH_SIZE =
      atLeast(
          "train.batch-size",
          "32",
          1,
          "Number of rows per optimizer step (the papers' batch size).");
  public static final Option<Integer> SHUFFLE_SHARDS =
      atLeast(
          "train.shuffle-shards",
          "1",
          1,
          "Number of shards whose rows are shuffled together; twice their size is held in memory."
              + " The rows of a cache are already shuffled before they are divided into shards.");
  public static final Option<String> ORDER =
      oneOf(
          "train.order",
          "shuffled",
          List.of("shuffled", "plan"),
          "Order of the shards: shuffled in each epoch, or always that of the plan, in which a "
              + "cache with a window is written. Rows are shuffled either way.");
  public static final Option<Integer> MICRO_BATCH_TOKENS =
      atLeast(
          "train.micro-batch-tokens",
          "2048",
          16,
          "Number of tokens, including padding, in a micro-batch. A step accumulates the gradients "
              + "of its micro-batches.");
  public static final Option<Double> LEARNING_RATE =
      number(
          "train.learning-rate",
          "5e-5",
          r -> r > 0 && Double.isFinite(r),
          "a finite number > 0",
          "Peak learning rate of AdamW.");
  public static final Option<Double> WARMUP_STEPS =
      number(
          "train.warmup-steps",
          "0.1",
          w -> w >= 0 && (w < 1 || w == Math.rint(w) && Double.isFinite(w)),
          "a whole number of steps, or a share of all steps >= 0 and < 1",
          "Number of steps over which the learning rate rises from 0 or, if below 1, their share "
              + "of all steps. Afterwards the rate falls linearly to 0.");
  public static final Option<Double> WEIGHT_DECAY =
      number(
          "train.weight-decay",
          "0.01",
          w -> w >= 0 && Double.isFinite(w),
          "a finite number >= 0",
          "Decoupled weight decay. Not applied to biases and LayerNorm weights.");
  public static final Option<Double> BETA1 =
      number(
          "train.beta1",
          "0.9",
          b -> b >= 0 && b < 1,
          "a number >= 0 and < 1",
          "Decay rate of AdamW's first moment.");
  public static final Option<Double> BETA2 =
      number(
          "train.beta2",
          "0.999",
          b -> b >= 0 && b < 1,
          "a number >= 0 and < 1",
          "Decay rate of AdamW's second moment.");
  public static final Option<Double> EPSILON =
      number(
          "train.epsilon",
          "1e-8",
          e -> e > 0 && Double.isFinite(e),
          "a finite number > 0",
          "Term that AdamW adds to the square root of the second moment.");
  public static final Option<Double> MAX_GRAD_NORM =
      number(
          "train.max-grad-norm",
          "1.0",
          c -> c >= 0 && Double.isFinite(c),
          "a finite number >= 0",
          "Maximum global norm of the gradient. 0 for no clipping.");
  public static final Option<Long> SEED =
      seed("train.seed", "Seed of shuffling, dropout and random weights.");
  public static final Option<Integer> THREADS =
      atLeast(
          "train.threads",
          "0",
          0,
          "Number of libtorch threads; the rounding of sums depends on it. 0 for the number of "
              + "cores of a local run, or of an executor (spark.executor.cores).");
  public static final Option<String> TRAIN_PRECISION =
      oneOf(
          "train.precision",
          "float32",
          List.of("float32", "bfloat16"),
          "Precision of the matrix products of the student's linear layers, forward and backward. "
              + "bfloat16 rounds operands and results, and the processor or GPU must support it; "
              + "weights, sums and everything else stay float32.");
  public static final Option<Integer> CHECKPOINT_EVERY =
      atLeast("train.checkpoint-every", "500", 0, "Steps between checkpoints. 0 for none.");
  public static final Option<String> KEEP =
      oneOf(
          "train.keep",
          "auto",
          List.of("auto", "last", "best"),
          "Which weights to keep: those of the last step, or the best ones by the first of "
              + "evaluate.metrics on the validation rows, or by the loss if there is no metric. "
              + "auto is best for finetune with finetune.validation, else last.");
  public static final Option<Integer> EVAL_EVERY =
      atLeast(
          "train.eval-every",
          "0",
          0,
          "Steps between evaluations for train.keep=best. 0 evaluates after each epoch.");
  public static final Option<Integer> EARLY_STOPPING_PATIENCE =
      atLeast(
          "train.early-stopping-patience",
          "0",
          0,
          "Number of consecutive evaluations without improvement after which train.keep=best ends "
              + "the training. 0 for no early stopping.");
  public static final Option<List<Map<String, String>>> STAGES =
      checked(
          "train.stages",
          "[]",
          SweepText::parseObjects,
          s -> true,
          "a list of stages, such as [{ name = intermediate, loss.soft-label.weight = 0 }, { name ="
              + " prediction, loss.hidden-mse.weight = 0 }]",
          "Stages in which the student and its baseline are trained one after another. Each starts "
              + "from the weights of the previous one, and may set cache, teacher, corpus, "
              + "targets, loss and train keys.");
  public static final Option<Boolean> BASELINE =
      bool(
          "train.baseline",
          "true",
          "Whether the same student is also trained for the same number of steps on hard labels "
              + "alone, as NAME-baseline. Needs labels. A sweep trains baselines only if the "
              + "recipe sets this key.");

  // train: several workers for one student
  public static final Option<Integer> WORKERS =
      atLeast(
          "train.workers",
          "1",
          1,
          "Number of logical workers that train one student in rounds, independent of the number "
              + "of executors. Each additional worker reduces quality.");
  public static final Option<Integer> ROUND_STEPS =
      atLeast("train.round-steps", "25", 1, "Number of steps of each worker in a round.");
  public static final Option<Double> OUTER_RATE =
      number(
          "train.outer-learning-rate",
          "0.7",
          r -> r > 0 && Double.isFinite(r),
          "a finite number > 0",
          "Learning rate of the step that applies the workers' mean difference after a round.");
  public static final Option<Double> OUTER_MOMENTUM =
      number(
          "train.outer-momentum",
          "0.5",
          m -> m >= 0 && m < 1,
          "a number >= 0 and < 1",
          "Nesterov momentum over rounds. 0.9 needs a hundred rounds or more.");
  public static final Option<String> MOMENTS =
      oneOf(
          "train.moments",
          "kept",
          List.of("reset", "kept"),
          "AdamW's moments at the start of a round: reset to 0, or kept by each worker, in a "
              + "file per round.");
  public static final Option<Integer> ROUND_WARMUP =
      atLeast(
          "train.round-warmup",
          "5",
          0,
          "Steps at the start of a round over which the learning rate rises, if moments are "
              + "reset.");
  public static final Option<String> DELTA_DTYPE =
      oneOf(
          "train.delta-dtype",
          "float32",
          List.of("float32", "float16"),
          "Data type in which workers send their differences.");
  public static final Option<Integer> MAX_BAD_ROUNDS =
      atLeast(
          "train.max-bad-rounds",
          "3",
          1,
          "Number of consecutive rounds in which a worker's difference is not finite, and is left "
              + "out, before training stops.");
  public static final Option<Boolean> LOOKAHEAD =
      bool(
          "train.lookahead",
          "false",
          "Whether a single worker is also trained in rounds, with an outer step after each.");

  // sweep
  public static final Option<Map<String, List<String>>> SWEEP_OVER =
      checked(
          "sweep.over",
          "{}",
          SweepText::parseLists,
          o -> true,
          "lists of values by key, such as { student.layers = [2, 4], train.seed = [1, 2] }",
          "Lists of values of student, loss and train keys. Each combination is a student, "
              + "named after its values. sweep.over.KEY=[...] adds one list.");
  public static final Option<List<Map<String, String>>> SWEEP_STUDENTS =
      checked(
          "sweep.students",
          "[]",
          SweepText::parseObjects,
          s -> true,
          "a list of students, such as [{ name = a, student.layers = 2 }, { name = b,"
              + " student.layers = 4 }]",
          "Students with their own values. Each is combined with all combinations of sweep.over.");
  public static final Option<List<String>> SWEEP_ONLY =
      list(
          "sweep.only",
          "[]",
          "Names of the students to train in this run, which then writes no table of the sweep. "
              + "Empty for all.");
  public static final Option<Integer> STUDENTS_PER_TASK =
      atLeast(
          "sweep.students-per-task",
          "1",
          1,
          "Number of students that share a task and one pass over the cache, if they read the "
              + "rows in the same order (seed, batch size, shuffling).");
  public static final Option<List<Integer>> HALVING_AT =
      checked(
          "sweep.halving.at",
          "[]",
          text -> ListText.parse(text).stream().map(Integer::valueOf).toList(),
          l -> IntStream.range(0, l.size()).allMatch(i -> l.get(i) > (i == 0 ? 0 : l.get(i - 1))),
          "an increasing list of whole numbers > 0 such as [200, 400]",
          "Steps after which all students are evaluated over train.validation and the worse "
              + "ones stop. Empty for no halving.");
  public static final Option<Double> HALVING_KEEP =
      number(
          "sweep.halving.keep",
          "0.5",
          k -> k > 0 && k < 1,
          "a number > 0 and < 1",
          "Share of the students that continue after each evaluation, rounded up.");
  public static final Option<String> HALVING_BY =
      oneOf(
          "sweep.halving.by",
          "loss",
          Stream.concat(
                  Stream.of(
                      "loss",
                      "soft-label",
                      "hard-label",
                      "hidden-cosine",
                      "hidden-mse",
                      "embedding-mse",
                      "first-token-mse",
                      "attention-mse",
                      "attention-kl",
                      "query-relation",
                      "key-relation",
                      "value-relation",
                      "agreement"),
                  METRIC_NAMES.stream())
              .toList(),
          "Measure that ranks students: the total loss (comparable if weights and layers are "
              + "equal), an unweighted term, a metric of the task, or agreement: how often the "
              + "student's best guess is the teacher's, or how well their scores correlate.");

  // augment
  public static final Option<String> AUGMENT_TO =
      text("augment.to", "", "Directory of the larger corpus. It must not exist yet.");
  public static final Option<String> AUGMENT_KIND =
      oneOf(
          "augment.kind",
          "masked-lm",
          List.of("masked-lm", "rules"),
          "Method: masked-lm replaces words by words that a masked LM finds likely in their place;"
              + " rules masks words, swaps them for words of the same part of speech, and keeps "
              + "n-grams.");
  public static final Option<Integer> AUGMENT_COPIES =
      atLeast(
          "augment.copies",
          "20",
          1,
          "Number of copies made of each row. Copies that equal the row or an earlier copy are "
              + "dropped.");
  public static final Option<Long> AUGMENT_SEED =
      seed("augment.seed", "Seed of the words that are replaced, and of their replacements.");
  public static final Option<Boolean> AUGMENT_KEEP =
      bool("augment.keep-original", "true", "Whether the original row is kept, as KEY+0.");
  public static final Option<String> AUGMENT_MODEL =
      text(
          "augment.model",
          "",
          "Hugging Face directory of the masked LM. Empty for teacher.path. For "
              + "augment.kind=masked-lm.");
  public static final Option<Integer> AUGMENT_CANDIDATES =
      checked(
          "augment.candidates",
          "15",
          Integer::valueOf,
          n -> n >= 1 && n <= 10_000,
          "a whole number from 1 to 10000",
          "Number of candidates for a word: the likeliest words or, for a word of several "
              + "pieces, the nearest ones. For augment.kind=masked-lm.");
  public static final Option<Double> AUGMENT_REPLACE =
      number(
          "augment.replace-probability",
          "0.4",
          p -> p >= 0 && p <= 1,
          "a number from 0 to 1",
          "Share of the words with candidates that are replaced in a copy. For "
              + "augment.kind=masked-lm.");
  public static final Option<String> AUGMENT_STOP_WORDS =
      oneOf(
          "augment.stop-words",
          "kept",
          List.of("kept", "replaced"),
          "Whether English stop words are kept or replaced. Kept stop words are not candidates "
              + "either, which halves the number of words to compute. For augment.kind=masked-lm.");
  public static final Option<String> AUGMENT_VECTORS =
      text(
          "augment.word-vectors",
          "",
          "How the nearest words to a word of several pieces are found: a text file of word "
              + "vectors in GloVe's format; empty for the model's table of word pieces; none masks "
              + "the whole word and asks the model. For augment.kind=masked-lm.");
  public static final Option<Boolean> AUGMENT_SHOW =
      bool(
          "augment.show-original",
          "false",
          "Whether the model also reads the unmasked text after the masked one, as in TinyBERT's "
              + "released code. Candidates are then closer to the word, at the cost of twice the "
              + "tokens. For augment.kind=masked-lm.");
  public static final Option<Double> AUGMENT_MASK =
      number(
          "augment.mask-probability",
          "0.1",
          p -> p >= 0 && p <= 1,
          "a number from 0 to 1",
          "Share of the words that become [MASK]. For augment.kind=rules.");
  public static final Option<Double> AUGMENT_POS =
      number(
          "augment.pos-probability",
          "0.1",
          p -> p >= 0 && p <= 1,
          "a number from 0 to 1",
          "Share of the words that become another word of the same part of speech, drawn by its "
              + "frequency in the corpus. For augment.kind=rules.");
  public static final Option<Double> AUGMENT_NGRAM =
      number(
          "augment.ngram-probability",
          "0.25",
          p -> p >= 0 && p <= 1,
          "a number from 0 to 1",
          "Share of the copies that keep only 1 to 5 consecutive words. For augment.kind=rules.");

  // finetune
  public static final Option<String> FINETUNE_FROM =
      text(
          "finetune.from",
          "",
          "Hugging Face directory of the encoder to fine-tune. Empty for teacher.path.");
  public static final Option<String> FINETUNE_TO =
      text("finetune.to", "", "Directory of the fine-tuned encoder.");
  public static final Option<String> FINETUNE_TASK =
      oneOf(
          "finetune.task",
          "classification",
          List.of("classification", "regression", "multi-label", "masked-lm"),
          "Kind of label: one class, one number, any number of labels separated by vertical "
              + "bars, or the masked tokens themselves.");

  public static final Option<List<String>> FINETUNE_VALIDATION =
      list(
          "finetune.validation",
          "[]",
          "Labelled files in the format of the corpus that are not trained on. The best weights "
              + "are selected on them.");

  // distill
  public static final Option<List<String>> DISTILL_VALIDATION =
      list(
          "distill.validation",
          "[]",
          "Labelled files in the format of the table that are held out. Empty for a tenth of the "
              + "table's labelled rows: at least 200 and at most 2,000, but not more than half.");
  public static final Option<Integer> DISTILL_TEACHER_EPOCHS =
      atLeast(
          "distill.teacher-epochs",
          "10",
          1,
          "Maximum number of epochs for which the teacher is fine-tuned. Fine-tuning stops earlier "
              + "if the metric on the held-out rows has not improved for two epochs.");
  public static final Option<Integer> DISTILL_TEACHER_STEPS =
      atLeast(
          "distill.teacher-steps",
          "0",
          0,
          "Maximum number of steps for which the teacher is fine-tuned. 0 for no limit.");
  public static final Option<Double> DISTILL_TEACHER_RATE =
      checked(
          "distill.teacher-learning-rate",
          "1e-4",
          Double::valueOf,
          r -> r > 0 && Double.isFinite(r),
          "a finite number > 0",
          "Peak learning rate of the teacher's fine-tuning.");

  // evaluate
  public static final Option<List<String>> EVALUATE_PATH =
      list(
          "evaluate.path",
          "[]",
          "Files to evaluate on, in the format of the corpus. Empty for the corpus itself.");
  public static final Option<List<String>> EVALUATE_MODELS =
      list(
          "evaluate.models",
          "[]",
          "Hugging Face directories to compare with the teacher. Empty for every student in "
              + "train.path.");
  public static final Option<String> EVALUATE_OUTPUT =
      text("evaluate.output", "evaluation.json", "Output file of the evaluation, as JSON.");

  public static final Option<List<String>> EVALUATE_EXPORTS =
      list(
          "evaluate.exports",
          "[]",
          "Directories written by export, each of whose forms is evaluated as a separate model. "
              + "Without evaluate.models, only these are compared with the teacher.");

  public static final Option<String> EVALUATE_REFERENCE =
      text(
          "evaluate.reference",
          "",
          "A student, or the shared name of students with several seeds, with which all others "
              + "are compared, in addition to their baselines. Empty for none.");
  public static final Option<List<String>> EVALUATE_METRICS =
      checked(
          "evaluate.metrics",
          "[]",
          ListText::parse,
          names -> names.stream().allMatch(METRIC_NAMES::contains),
          "a list of some of " + String.join(", ", METRIC_NAMES),
          "Metrics of the task, the most important first: it determines retention, comparisons and "
              + "the best weights. Empty for accuracy, f1, matthews for classes; pearson, spearman "
              + "for scores; micro-f1, macro-f1, exact-match for several labels.");
  public static final Option<String> EVALUATE_PREDICTIONS =
      text(
          "evaluate.predictions",
          "",
          "Output file for the key, the label and each model's logits of every row, as JSON lines. "
              + "Empty for none.");
  public static final Option<Boolean> EVALUATE_SPEED =
      bool(
          "evaluate.speed",
          "false",
          "Whether to report parameters, FLOPs and sentences per second of the teacher and "
              + "every student, at 32 and 128 tokens.");
  public static final Option<Double> EVALUATE_SPEED_SECONDS =
      number(
          "evaluate.speed-seconds",
          "1.0",
          s -> s > 0 && Double.isFinite(s),
          "a finite number > 0",
          "Duration of each speed measurement, in seconds. Models take six turns for each length "
              + "and batch size; a turn is at least one pass.");

  // head-importance
  public static final Option<String> HEAD_IMPORTANCE_MODEL =
      text(
          "head-importance.model",
          "",
          "Hugging Face directory of the encoder to measure. Empty for teacher.path.");
  public static final Option<Integer> HEAD_IMPORTANCE_ROWS =
      atLeast("head-importance.rows", "1000", 2, "Number of rows drawn from the corpus.");
  public static final Option<Long> HEAD_IMPORTANCE_SEED =
      seed("head-importance.seed", "Seed of the rows that are drawn, and of masking.");
  public static final Option<String> HEAD_IMPORTANCE_NORMALIZE =
      oneOf(
          "head-importance.normalize",
          "layer",
          List.of("layer", "none"),
          "layer divides the importances by the Euclidean norm of their block, as in the paper. "
              + "none leaves them in nats.");
  public static final Option<String> HEAD_IMPORTANCE_OUTPUT =
      text(
          "head-importance.output",
          "head-importance.json",
          "Output file of the importances, as JSON.");

  // verify
  public static final Option<Integer> VERIFY_ROWS =
      atLeast(
          "verify.rows",
          "64",
          0,
          "Number of rows, drawn with cache.seed, that are recomputed with the teacher. 0 for "
              + "none.");

  // export
  public static final Option<String> EXPORT_FROM =
      text("export.from", "", "Student to export. Empty for train.path/student.name.");
  public static final Option<String> EXPORT_TO =
      text("export.to", "", "Directory of the exported student.");
  public static final Option<List<ExportFormat>> EXPORT_FORMATS =
      checked(
          "export.formats",
          "[huggingface, onnx, onnx-int8, torchscript]",
          text -> ListText.parse(text).stream().map(ExportFormat::of).toList(),
          formats -> !formats.isEmpty() && Set.copyOf(formats).size() == formats.size(),
          "a list, without duplicates, of some of " + String.join(", ", ExportFormat.IDS),
          "Formats of the exported student. The config and the tokenizer are always written.");
  public static final Option<List<String>> EXPORT_EVALUATE =
      list(
          "export.evaluate",
          "[]",
          "Files with labelled rows on which every exported form is evaluated, for the model card. "
              + "Empty for none.");
  public static final Option<List<String>> EXPORT_CLASSES =
      list(
          "export.classes",
          "[]",
          "Names of the classes in the exported config, in the order of their ids. Empty for the "
              + "student's own.");
  public static final Option<Integer> EXPORT_CALIBRATION_ROWS =
      atLeast(
          "export.calibration-rows",
          "256",
          0,
          "Number of rows of the cache on which variants of the int8 model are compared. 0 for the "
              + "plain variant without a comparison.");
  public static final Option<Integer> EXPORT_WEIGHT_BITS =
      checked(
          "export.weight-bits",
          "8",
          Integer::valueOf,
          bits -> bits == 7 || bits == 8,
          "7 or 8",
          "Bits of int8 weights. On processors with AVX2 but without VNNI, sums of 8-bit products "
              + "can overflow; 7 bits prevent that.");
  public static final Option<String> EXPORT_LICENSE =
      text(
          "export.license",
          "",
          "License in the model card, as an identifier of the Hugging Face Hub, such as "
              + "apache-2.0. Empty for none.");

  // report
  public static final Option<String> REPORT_OUTPUT =
      text(
          "report.output",
          "",
          "HTML file of the report; its numbers are written beside it, with .json in place of "
              + ".html. Empty for report.html in the run's directory, none for no report.");
  public static final Option<Integer> REPORT_ROWS =
      atLeast(
          "report.rows",
          "1000",
          0,
          "Maximum number of held-out rows on which the report compares the models layer by layer "
              + "and row by row. 0 runs no models.");
  public static final Option<Integer> REPORT_TEXTS =
      atLeast(
          "report.texts",
          "20",
          0,
          "Number of texts in the report, those for which teacher and student differ most. 0 "
              + "leaves the texts of the corpus out.");

  // predict
  public static final Option<String> PREDICT_OUTPUT =
      oneOf(
          "predict.output",
          "classes",
          List.of("classes", "embeddings"),
          "Columns that predict adds to a table. classes: predicted_class and probabilities; for a "
              + "multi-label model, predicted_classes and probabilities; for a regression, score. "
              + "embeddings: embedding, one vector per row.");
  public static final Option<String> PREDICT_POOLING =
      oneOf(
          "predict.pooling",
          "mean",
          List.of("mean", "cls"),
          "How an embedding is computed from the last hidden states. mean: their mean over all "
              + "tokens of the row. cls: the state of [CLS].");
  public static final Option<Boolean> PREDICT_NORMALIZE =
      bool("predict.normalize", "false", "Whether embeddings are scaled to length 1.");
  public static final Option<Integer> PREDICT_TOP_K =
      atLeast(
          "predict.top-k",
          "0",
          0,
          "Number of most probable classes whose probabilities are written. 0 for all.");
  public static final Option<Double> PREDICT_THRESHOLD =
      number(
          "predict.threshold",
          "0.5",
          t -> t >= 0 && t <= 1,
          "a number from 0 to 1",
          "Probability above which a label of a multi-label model is predicted.");
  public static final Option<String> PREDICT_PREFIX =
      checked(
          "predict.prefix",
          "",
          Function.identity(),
          p -> p.matches("[A-Za-z0-9_]*"),
          "letters, digits or '_'",
          "Prefix of the names of the columns that predict adds.");
  public static final Option<String> PREDICT_FORMAT =
      oneOf(
          "predict.format",
          "auto",
          List.of("auto", "parquet", "orc", "csv", "tsv", "json", "jsonl"),
          "Format of the output. auto is the format of the table, or Parquet for plain text. In CSV"
              + " and TSV, lists and maps are written as JSON. Only a table in TSV can be written"
              + " as TSV, which cannot represent line breaks.");
  public static final Option<Integer> PREDICT_BATCH_TOKENS =
      atLeast(
          "predict.batch-tokens",
          "8192",
          16,
          "Maximum number of tokens in a batch, including padding.");

  // plan
  public static final Option<Double> PLAN_PRICE =
      number(
          "plan.price-per-hour",
          "0.68",
          p -> p > 0 && Double.isFinite(p),
          "a finite number > 0",
          "Price per hour of all machines of the session, in any currency.");
  public static final Option<Double> PLAN_STORAGE_PRICE =
      number(
          "plan.price-per-tb-month",
          "23",
          p -> p >= 0 && Double.isFinite(p),
          "a finite number >= 0",
          "Price of storing 10^12 bytes for a month, in the same currency.");
  public static final Option<Double> PLAN_MONTHS =
      number(
          "plan.months",
          "1",
          m -> m >= 0 && Double.isFinite(m),
          "a finite number >= 0",
          "Number of months that the cache is kept.");
  public static final Option<Integer> PLAN_STUDENTS =
      atLeast(
          "plan.students",
          "1",
          1,
          "Number of students to be trained from the cache, each with its baseline.");
  public static final Option<Integer> PLAN_SECONDS =
      atLeast("plan.seconds", "60", 5, "Maximum number of seconds that the probe takes.");
  public static final Option<String> PLAN_OUTPUT =
      text("plan.output", "plan.json", "Output file of the plan, as JSON.");

  // general
  public static final Option<String> DEVICE =
      oneOf(
          "device",
          "auto",
          List.of("auto", "cpu", "gpu"),
          "Device of the tasks: auto is the GPU that Spark assigns to a task, else the CPU; gpu "
              + "fails if there is none.");

  public static final Option<String> JOB_RESULT =
      text(
          "job.result",
          "",
          "File that receives the exit code, the error message and the outputs of the command, as "
              + "JSON, for a scheduler. Empty for none.");
  public static final Option<Integer> JOB_STOP_SECONDS =
      atLeast(
          "job.stop-seconds",
          "25",
          1,
          "Seconds from SIGTERM or SIGINT until the process ends at the latest. Until then, running"
              + " trainings write a checkpoint. Kubernetes kills a pod after 30 s by default.");

  public static final Option<Boolean> SMOKE =
      bool(
          "smoke",
          "false",
          "Whether to shrink the recipe so that it runs in seconds: few rows, few steps.");

  /** Every option, in the order of this file. */
  public static final List<Option<?>> ALL = all();

  private Options() {}

  private static List<Option<?>> all() {
    return Arrays.stream(Options.class.getDeclaredFields())
        .filter(field -> Modifier.isStatic(field.getModifiers()) && field.getType() == Option.class)
        .<Option<?>>map(
            field -> {
              try {
                return (Option<?>) field.get(null);
              } catch (IllegalAccessException e) {
                throw new IllegalStateException(e);
              }
            })
        .toList();
  }

  private static boolean areWeights(List<String> texts) {
    List<Double> weights = texts.stream().map(Double::valueOf).toList();
    return weights.stream().allMatch(weight -> weight >= 0 && Double.isFinite(weight))
        && weights.stream().anyMatch(weight -> weight > 0);
  }
}
