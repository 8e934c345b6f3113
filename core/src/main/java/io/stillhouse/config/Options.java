package io.stillhouse.config;

import io.stillhouse.spec.Metric;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Every key that a recipe may hold. README's table is made from {@link #ALL}. */
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
          "A task of GLUE, in the files that GLUE distributes: columns, format, lengths, what is"
              + " predicted and its metrics, wherever the recipe leaves them open.");

  // teacher
  public static final Option<String> TEACHER =
      text("teacher.path", null, "Hugging Face directory of the teacher; import makes one.");
  public static final Option<String> TEACHER_NAME =
      checked(
          "teacher.name",
          "",
          Function.identity(),
          n -> n.matches("([A-Za-z0-9][A-Za-z0-9-]*)?"),
          "letters, digits or '-'",
          "Another teacher of the cache, whose targets lie over the same shards; empty for the one"
              + " that the cache began with.");

  // corpus
  public static final Option<List<String>> CORPUS_PATH =
      list(
          "corpus.path",
          null,
          "Files or directories of text; a list is allowed. A cache grows by the files that it"
              + " lacks.");
  public static final Option<String> CORPUS_FORMAT =
      oneOf(
          "corpus.format",
          "auto",
          List.of("auto", "text", "csv", "tsv", "json", "jsonl", "parquet", "orc"),
          "How the corpus is read; auto goes by the file's extension.");
  public static final Option<Boolean> CORPUS_HEADER =
      bool(
          "corpus.header",
          "true",
          "Whether the first line of a CSV or TSV file names the columns.");
  public static final Option<String> CORPUS_TEXT =
      text(
          "corpus.text",
          "",
          "Column of the (first) text: a name, or an index from 0 without a header.");
  public static final Option<String> CORPUS_PAIR =
      text("corpus.pair", "", "Column of the second text of a pair; empty for single texts.");
  public static final Option<String> CORPUS_LABEL =
      text("corpus.label", "", "Column of the label; empty where there is none.");
  public static final Option<String> CORPUS_ID =
      text("corpus.id", "", "Column of the row key; empty for file:ordinal.");
  public static final Option<Integer> CORPUS_LIMIT =
      atLeast("corpus.limit", "0", 0, "Rows to read, the first ones; 0 for all.");
  public static final Option<List<String>> CORPUS_CLASSES =
      checked(
          "corpus.classes",
          "[]",
          Options::parseList,
          l -> l.stream().distinct().count() == l.size(),
          "a list of names such as [a, b], each named once",
          "finetune: names of the classes in order of their ids; empty for those found in the data,"
              + " sorted. Elsewhere the teacher's hold.");
  public static final Option<String> CORPUS_SEGMENT =
      oneOf(
          "corpus.segment",
          "auto",
          List.of("auto", "row", "sentences", "windows"),
          "What becomes one row: the whole text, its sentences, or windows of the maximum length;"
              + " auto is windows for format text, else row.");
  public static final Option<String> CORPUS_TOO_LONG =
      oneOf(
          "corpus.too-long",
          "auto",
          List.of("auto", "truncate", "split"),
          "What happens to a row of more than the maximum length; auto splits prose and truncates"
              + " tables.");
  public static final Option<Integer> MAX_LENGTH =
      atLeast("corpus.max-length", "128", 3, "Tokens of a row at most, [CLS] and [SEP] counted.");

  // cache and targets
  public static final Option<String> CACHE = text("cache.path", null, "Directory of the cache.");
  public static final Option<Integer> SHARD_TOKENS =
      atLeast(
          "cache.shard-tokens",
          "32768",
          256,
          "Tokens of one shard at most, the piece of work that is retried; a small corpus is cut"
              + " into 16, and targets of over 256 MB into more.");
  public static final Option<Integer> CACHE_BATCH_TOKENS =
      atLeast("cache.batch-tokens", "2048", 16, "Padded tokens the teacher computes at once.");
  public static final Option<String> CACHE_PRECISION =
      oneOf(
          "cache.precision",
          "float32",
          List.of("float32", "bfloat16"),
          "What the teacher's linear layers compute in: bfloat16 rounds the factors and results of"
              + " their products, and needs a CPU that has them.");
  public static final Option<Long> CACHE_SEED =
      seed(
          "cache.seed",
          "Seed of the cache: the order of its rows, masking, and the rows that verify and plan"
              + " draw.");
  public static final Option<Double> MAX_INVALID =
      number(
          "cache.max-invalid",
          "0.01",
          share -> share >= 0 && share <= 1,
          "a number in 0..1",
          "Largest share of rows without targets: empty, not UTF-8, or of which the teacher's"
              + " output is not finite. Over it cache stops.");
  public static final Option<Integer> CACHE_WINDOW =
      atLeast(
          "cache.window",
          "0",
          0,
          "Shards whose target files may lie on disk at once: cache waits while train reads, and"
              + " drops what every student has seen; 0 keeps all. Needs train.order=plan.");
  public static final Option<List<Integer>> TARGETS_HIDDEN =
      integers(
          "targets.hidden", "[]", "Teacher hidden states to store; 0 is the embedding output.");
  public static final Option<List<Integer>> TARGETS_ATTENTION =
      integers(
          "targets.attention",
          "[]",
          "Teacher blocks, from 1, whose raw attention scores students learn from.");
  public static final Option<List<Integer>> TARGETS_VALUES =
      integers(
          "targets.value-relations",
          "[]",
          "Teacher blocks, from 1, whose value relations students learn from.");
  public static final Option<String> TARGETS_SCORES =
      oneOf(
          "targets.scores",
          "derived",
          List.of("derived", "stored"),
          "Attention scores and value relations: derived in training from the stored hidden state"
              + " below their block, or stored. Relations of queries and keys, or of other heads"
              + " than the teacher's, need derived.");
  public static final Option<String> TARGETS_DTYPE =
      oneOf(
          "targets.dtype",
          "float16",
          List.of("float32", "float16", "int8"),
          "How tensors are stored; int8 has a scale for each token and keeps its largest numbers"
              + " apart.");
  public static final Option<String> MLM_LOGITS =
      oneOf(
          "targets.mlm-logits",
          "derived",
          List.of("derived", "dense", "top-k", "sampled", "none"),
          "Masked-LM soft labels: derived from the last hidden state with the teacher's head;"
              + " stored whole, or their top k with the tail's mass, or samples; or none.");
  public static final Option<String> MLM_POSITIONS =
      oneOf(
          "targets.mlm-positions",
          "all",
          List.of("all", "masked"),
          "Tokens whose masked-LM soft labels are stored.");
  public static final Option<Integer> TOP_K =
      atLeast("targets.top-k", "64", 1, "Logits kept of each token by mlm-logits=top-k.");
  public static final Option<Integer> SAMPLES =
      checked(
          "targets.samples",
          "50",
          Integer::valueOf,
          n -> n >= 1 && n <= 255,
          "a whole number in 1..255",
          "Draws from each token's softmax by mlm-logits=sampled.");
  public static final Option<List<Double>> TEMPERATURES =
      checked(
          "targets.temperatures",
          "[]",
          text -> parseList(text).stream().map(Double::valueOf).toList(),
          l -> l.stream().allMatch(t -> t > 0 && Double.isFinite(t)),
          "a list of numbers > 0 such as [1, 2]",
          "Temperatures that students may use: top-k keeps a log-partition for each, sampled draws"
              + " at one. Empty for loss.soft-label.temperature.");
  public static final Option<Double> MASK_PROBABILITY =
      number(
          "targets.mask-probability",
          "0.15",
          p -> p > 0 && p < 1,
          "a number between 0 and 1",
          "Share of tokens masked for a masked-LM teacher.");
  public static final Option<Integer> MASK_VARIANTS =
      atLeast(
          "targets.mask-variants",
          "1",
          1,
          "Differently masked copies of each row of a masked-LM corpus.");

  // student
  public static final Option<String> STUDENT_NAME =
      checked(
          "student.name",
          "student",
          Function.identity(),
          n -> n.matches("[A-Za-z0-9][A-Za-z0-9._-]*"),
          "letters, digits, '.', '_' or '-'",
          "Name of the student, and of its directory under train.path.");
  public static final Option<String> ARCHITECTURE =
      oneOf(
          "student.architecture",
          "bert",
          List.of("bert", "distilbert", "albert", "bilstm"),
          "What the student is: a BERT; DistilBERT, which has no segment embeddings; ALBERT, whose"
              + " blocks share one set of weights, that of student.init-layers' first; or a BiLSTM:"
              + " one bidirectional LSTM under a ReLU layer, which learns from logits and labels"
              + " alone.");
  public static final Option<Integer> STUDENT_LAYERS =
      atLeast("student.layers", null, 1, "Blocks of the student; a BiLSTM needs none named.");
  public static final Option<Integer> STUDENT_HIDDEN =
      atLeast(
          "student.hidden-size",
          "0",
          0,
          "Width of the student; 0 for the teacher's. Of a BiLSTM the units of one direction, which"
              + " it needs.");
  public static final Option<Integer> STUDENT_EMBEDDING =
      atLeast(
          "student.embedding-size",
          "0",
          0,
          "Width of an ALBERT student's embedding tables (the paper's is 128); 0 for the width of"
              + " an ALBERT teacher's, else the student's own.");
  public static final Option<Integer> STUDENT_HEADS =
      atLeast("student.heads", "0", 0, "Attention heads of the student; 0 for the teacher's.");
  public static final Option<Integer> STUDENT_INTERMEDIATE =
      atLeast(
          "student.intermediate-size",
          "0",
          0,
          "Width of the feed-forward layer; 0 for the teacher's where both are equally wide, else"
              + " four times the student's width. Of a BiLSTM the units of its ReLU layer; 0 for"
              + " four thirds of the hidden size.");
  public static final Option<Double> STUDENT_DROPOUT =
      number(
          "student.dropout",
          "0.1",
          p -> p >= 0 && p < 1,
          "a number in 0..1, 1 excluded",
          "Dropout of hidden states and attention while training; of a BiLSTM after its ReLU"
              + " layer.");
  public static final Option<String> WORD_VECTORS =
      text(
          "student.word-vectors",
          "teacher",
          "Where a BiLSTM's word vectors start: teacher for its table, random, or a text file as"
              + " GloVe's, in which word pieces are looked up; those that it lacks are random.");
  public static final Option<Integer> WORD_VECTOR_SIZE =
      atLeast(
          "student.word-vector-size",
          "0",
          0,
          "Numbers of a random word vector; 0 for 300. The teacher's table and a file have widths"
              + " of their own.");
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
          "teacher, random, or the path of a Hugging Face directory to start from.");
  public static final Option<List<Integer>> INIT_LAYERS =
      integers(
          "student.init-layers",
          "[]",
          "Blocks, from 1, that initialise the student's; empty for those of the layer map, or for"
              + " all of a student.init as deep as the student.");
  public static final Option<String> HEAD_IMPORTANCE =
      text(
          "student.head-importance",
          "",
          "What heads wrote of the model that the student starts from: by it heads are pruned.");
  public static final Option<Double> PRUNED_HEADS =
      number(
          "student.pruned-heads",
          "0",
          share -> share >= 0 && share < 1,
          "a number in 0..1, 1 excluded",
          "Share of all the student's attention heads that are pruned, the least important ones"
              + " first; each block keeps one. Not with losses on scores or relations.");

  // loss
  public static final Option<Double> SOFT_WEIGHT =
      weight("loss.soft-label.weight", "Weight of the loss on the teacher's logits.");
  public static final Option<String> SOFT_KIND =
      oneOf(
          "loss.soft-label.kind",
          "auto",
          List.of("auto", "kl", "mse"),
          "How logits are compared; auto is mse for scores, whose one number has no distribution,"
              + " else kl.");
  public static final Option<Double> TEMPERATURE =
      number(
          "loss.soft-label.temperature",
          "2.0",
          t -> t > 0 && Double.isFinite(t),
          "a finite number > 0",
          "Divides both logits before the softmax (no unit); the KL is multiplied by its square.");
  public static final Option<String> SOFT_POSITIONS =
      oneOf(
          "loss.soft-label.positions",
          "all",
          List.of("all", "masked"),
          "Tokens that carry a masked LM's soft-label loss.");
  public static final Option<Double> HARD_WEIGHT =
      weight(
          "loss.hard-label.weight",
          "Weight of the loss on the data's labels: cross-entropy, squared error, or masked-LM"
              + " cross-entropy.");
  public static final Option<List<String>> CLASS_WEIGHTS =
      checked(
          "loss.hard-label.class-weights",
          "[]",
          Options::parseList,
          l -> l.equals(List.of("balanced")) || l.isEmpty() || areWeights(l),
          "balanced, or a list of numbers >= 0, not all of them 0, such as [1, 2.5]",
          "Weights of a classification's classes in the loss on labels, in order of their ids;"
              + " balanced for rows / (classes x rows of the class); empty where all weigh the"
              + " same.");
  public static final Option<Double> COSINE_WEIGHT =
      weight("loss.hidden-cosine.weight", "Weight of 1 - cosine between hidden states.");
  public static final Option<String> COSINE_LAYERS =
      oneOf(
          "loss.hidden-cosine.layers",
          "last",
          List.of("last", "all"),
          "Mapped hidden states with a cosine loss.");
  public static final Option<Double> HIDDEN_WEIGHT =
      weight(
          "loss.hidden-mse.weight",
          "Weight of the squared error of mapped hidden states 1..M, summed over layers.");
  public static final Option<Double> EMBEDDING_WEIGHT =
      weight("loss.embedding-mse.weight", "Weight of the squared error of the embedding output.");
  public static final Option<Double> FIRST_TOKEN_WEIGHT =
      weight(
          "loss.first-token-mse.weight",
          "Weight of PKD's squared distance of the first token's states, each of norm 1, summed"
              + " over hidden states 1..M-1. Of 6 layers of 12, PKD-skip is student.layer-map=[0,"
              + " 2, 4, 6, 8, 10, 12], PKD-last [0, 7, 8, 9, 10, 11, 12].");
  public static final Option<String> PROJECTION =
      oneOf(
          "loss.projection",
          "per-layer",
          List.of("per-layer", "shared", "single"),
          "Matrices to the teacher's width, where it differs: one for each hidden state; one for"
              + " the embedding output and one for all others, as the TinyBERT paper has it; or a"
              + " single one, as its code does.");
  public static final Option<Double> ATTENTION_WEIGHT =
      weight(
          "loss.attention-mse.weight",
          "Weight of the squared error of raw attention scores, summed over blocks.");
  public static final Option<Double> ATTENTION_KL_WEIGHT =
      weight(
          "loss.attention-kl.weight",
          "Weight of MiniLM's KL divergence of attention, the softmax of its scores.");
  public static final Option<Double> QUERY_WEIGHT =
      weight(
          "loss.query-relation.weight",
          "Weight of MiniLMv2's KL divergence of relations of queries, the softmax of their"
              + " products with each other.");
  public static final Option<Double> KEY_WEIGHT =
      weight("loss.key-relation.weight", "Weight of the same of keys.");
  public static final Option<Double> VALUE_WEIGHT =
      weight("loss.value-relation.weight", "Weight of the same of values; MiniLM has it, too.");
  public static final Option<Integer> RELATION_HEADS =
      atLeast(
          "loss.relation.heads",
          "0",
          0,
          "Heads that queries, keys and values are cut into for their relations, a divisor of both"
              + " widths; 0 for the models' own, of which both then have as many.");
  public static final Option<String> RELATION_LAYERS =
      oneOf(
          "loss.relation.layers",
          "last",
          List.of("last", "all"),
          "Mapped blocks with attention-kl and relation losses, which are summed over them.");
  public static final Option<List<Map<String, String>>> TEACHERS =
      checked(
          "loss.teachers",
          "[]",
          SweepText::named,
          t -> true,
          "a list of teachers such as [{ name = b, cache = cache-b, weight = 0.5, terms ="
              + " [soft-label] }]",
          "Further teachers of the rows of cache.path, found by row key: each has a name, its"
              + " cache, the teacher's name in there, a weight (1), a layer-map (the student's),"
              + " and the terms it takes part in (soft-label). A term is the mean over its"
              + " teachers, by weight; the loss over held-out rows is the first teacher's.");
  public static final Option<Double> TEACHER_WEIGHT =
      number(
          "loss.teacher-weight",
          "1.0",
          w -> w > 0 && Double.isFinite(w),
          "a finite number > 0",
          "Weight of the first teacher, that of cache.path and teacher.name, beside"
              + " loss.teachers.");
  public static final Option<String> MISSING_ROWS =
      oneOf(
          "loss.missing-rows",
          "refuse",
          List.of("refuse", "leave-out"),
          "What becomes of rows that a cache of loss.teachers lacks, or has no targets of: the"
              + " command is refused, or they are not trained on, which is reported.");

  // train
  public static final Option<String> TRAIN_PATH =
      text("train.path", "students", "Directory of the students.");
  public static final Option<String> VALIDATION =
      text(
          "train.validation",
          "",
          "A cache of other rows by the same teacher; each student's loss over it is reported.");
  public static final Option<String> METRICS =
      text(
          "train.metrics",
          "",
          "Directory of what a training tells while it runs, as JSON lines and TensorBoard events;"
              + " empty for _metrics beside the students, none for no files.");
  public static final Option<Integer> EPOCHS =
      atLeast("train.epochs", "3", 1, "Passes over the cache.");
  public static final Option<Integer> MAX_STEPS =
      atLeast("train.max-steps", "0", 0, "Stops after so many steps; 0 for none.");
  public static final Option<Integer> BATCH_SIZE =
      atLeast("train.batch-size", "32", 1, "Rows of one optimiser step (the papers' batch size).");
  public static final Option<Integer> SHUFFLE_SHARDS =
      atLeast(
          "train.shuffle-shards",
          "1",
          1,
          "Shards of the cache whose rows are shuffled together, and held in memory twice; the"
              + " cache's own rows were shuffled before they were cut.");
  public static final Option<String> ORDER =
      oneOf(
          "train.order",
          "shuffled",
          List.of("shuffled", "plan"),
          "Order of the cache's shards: another in each epoch, or always the plan's, in which a"
              + " cache with a window is written; rows are shuffled inside either way.");
  public static final Option<Integer> MICRO_BATCH_TOKENS =
      atLeast(
          "train.micro-batch-tokens",
          "2048",
          16,
          "Padded tokens computed at once; a step adds up as many batches as it needs.");
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
          "a whole number of steps, or a share of all steps in 0..1, 1 excluded",
          "Steps over which the learning rate rises, or below 1 their share of all steps;"
              + " afterwards the rate falls linearly to 0.");
  public static final Option<Double> WEIGHT_DECAY =
      number(
          "train.weight-decay",
          "0.01",
          w -> w >= 0 && Double.isFinite(w),
          "a finite number >= 0",
          "Decoupled weight decay; none on biases and LayerNorm.");
  public static final Option<Double> BETA1 =
      number(
          "train.beta1",
          "0.9",
          b -> b >= 0 && b < 1,
          "a number in 0..1, 1 excluded",
          "Decay of the first moment.");
  public static final Option<Double> BETA2 =
      number(
          "train.beta2",
          "0.999",
          b -> b >= 0 && b < 1,
          "a number in 0..1, 1 excluded",
          "Decay of the second moment.");
  public static final Option<Double> EPSILON =
      number(
          "train.epsilon",
          "1e-8",
          e -> e > 0 && Double.isFinite(e),
          "a finite number > 0",
          "Added to the root of the second moment.");
  public static final Option<Double> MAX_GRAD_NORM =
      number(
          "train.max-grad-norm",
          "1.0",
          c -> c >= 0 && Double.isFinite(c),
          "a finite number >= 0",
          "Upper bound of the global gradient norm; 0 for none.");
  public static final Option<Long> SEED =
      seed(
          "train.seed",
          "Seed of shuffling, dropout and random weights in train, sweep and finetune.");
  public static final Option<Integer> THREADS =
      atLeast(
          "train.threads",
          "0",
          0,
          "Threads of libtorch; sums depend on it. 0 for the cores of a local run, or of an"
              + " executor (spark.executor.cores).");
  public static final Option<String> TRAIN_PRECISION =
      oneOf(
          "train.precision",
          "float32",
          List.of("float32", "bfloat16"),
          "What a student's linear layers compute their products in, forward and backward: bfloat16"
              + " rounds factors and results, and needs a CPU or GPU that has them; weights, sums"
              + " and all else stay float32. For finetune, too.");
  public static final Option<Integer> CHECKPOINT_EVERY =
      atLeast("train.checkpoint-every", "500", 0, "Steps between checkpoints; 0 for none.");
  public static final Option<String> KEEP =
      oneOf(
          "train.keep",
          "auto",
          List.of("auto", "last", "best"),
          "Weights that a training ends with: the last step's, or those that were best over"
              + " train.validation (finetune: finetune.validation) by the first of"
              + " evaluate.metrics, or by the loss of what has none; auto is best for finetune with"
              + " held-out rows, else last.");
  public static final Option<Integer> EVAL_EVERY =
      atLeast(
          "train.eval-every",
          "0",
          0,
          "Steps between measurements for train.keep=best; 0 for one after each epoch.");
  public static final Option<Integer> EARLY_STOPPING_PATIENCE =
      atLeast(
          "train.early-stopping-patience",
          "0",
          0,
          "Measurements in a row without a better one after which train.keep=best ends the"
              + " training; 0 for none.");
  public static final Option<List<Map<String, String>>> STAGES =
      checked(
          "train.stages",
          "[]",
          SweepText::named,
          s -> true,
          "a list of stages such as [{ name = intermediate, loss.soft-label.weight = 0 }, { name ="
              + " prediction, loss.hidden-mse.weight = 0 }]",
          "Trainings that the student, and its baseline, go through one after another, each from"
              + " where the one before ended, with cache, teacher, corpus, target, loss and train"
              + " keys of their own.");
  public static final Option<Boolean> BASELINE =
      bool(
          "train.baseline",
          "true",
          "Whether the same student is also trained as long on hard labels alone, as NAME-baseline;"
              + " needs labels. In a sweep only where this is set.");

  // rounds: several workers on one student
  public static final Option<Integer> WORKERS =
      atLeast(
          "train.workers",
          "1",
          1,
          "Logical workers that train one student in rounds, whatever the number of executors; each"
              + " more costs quality.");
  public static final Option<Integer> ROUND_STEPS =
      atLeast("train.round-steps", "25", 1, "Steps of each worker in a round.");
  public static final Option<Double> OUTER_RATE =
      number(
          "train.outer-learning-rate",
          "0.7",
          r -> r > 0 && Double.isFinite(r),
          "a finite number > 0",
          "Share of the workers' mean difference by which the weights move after a round.");
  public static final Option<Double> OUTER_MOMENTUM =
      number(
          "train.outer-momentum",
          "0.5",
          m -> m >= 0 && m < 1,
          "a number in 0..1, 1 excluded",
          "Nesterov momentum over rounds; 0.9 needs a hundred rounds or more.");
  public static final Option<String> MOMENTS =
      oneOf(
          "train.moments",
          "kept",
          List.of("reset", "kept"),
          "AdamW's moments at the start of a round: 0, or kept by each worker in a file for each"
              + " round.");
  public static final Option<Integer> ROUND_WARMUP =
      atLeast(
          "train.round-warmup",
          "5",
          0,
          "Steps at the start of a round over which the rate rises, where moments are reset.");
  public static final Option<String> DELTA_DTYPE =
      oneOf(
          "train.delta-dtype",
          "float32",
          List.of("float32", "float16"),
          "What the workers' differences travel as.");
  public static final Option<Integer> MAX_BAD_ROUNDS =
      atLeast(
          "train.max-bad-rounds",
          "3",
          1,
          "Rounds in a row in which some worker's difference is not finite, and left out, before"
              + " the run stops.");
  public static final Option<Boolean> LOOKAHEAD =
      bool(
          "train.lookahead",
          "false",
          "Whether one worker is trained in rounds, too, with an outer step after each.");

  // sweep
  public static final Option<Map<String, List<String>>> SWEEP_OVER =
      checked(
          "sweep.over",
          "{}",
          SweepText::over,
          o -> true,
          "lists of values by key such as { student.layers = [2, 4], train.seed = [1, 2] }",
          "sweep: values of student, loss and train keys; each combination is a student, named for"
              + " what it has. sweep.over.KEY=[...] is one of them.");
  public static final Option<List<Map<String, String>>> SWEEP_STUDENTS =
      checked(
          "sweep.students",
          "[]",
          SweepText::named,
          s -> true,
          "a list of students such as [{ name = a, student.layers = 2 }, { name = b, student.layers"
              + " = 4 }]",
          "sweep: students with values of their own, each combined with all of sweep.over.");
  public static final Option<Integer> STUDENTS_PER_TASK =
      atLeast(
          "sweep.students-per-task",
          "1",
          1,
          "sweep: students that share a task and one reading of the cache, where their rows come in"
              + " the same order (seed, rows of a step, shuffle).");
  public static final Option<List<Integer>> HALVING_AT =
      checked(
          "sweep.halving.at",
          "[]",
          text -> parseList(text).stream().map(Integer::valueOf).toList(),
          l -> IntStream.range(0, l.size()).allMatch(i -> l.get(i) > (i == 0 ? 0 : l.get(i - 1))),
          "a rising list of whole numbers > 0 such as [200, 400]",
          "sweep: steps after which all students are measured over train.validation and the worse"
              + " ones stop; empty for none.");
  public static final Option<Double> HALVING_KEEP =
      number(
          "sweep.halving.keep",
          "0.5",
          k -> k > 0 && k < 1,
          "a number between 0 and 1",
          "sweep: share of the students that goes on after each, rounded up.");
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
          "sweep: what they are measured by: the loss in all (equal weights and layers are"
              + " comparable), a term before its weight, a metric of the task, or agreement: how"
              + " often its best guess is its teacher's, or how well their scores correlate.");

  // augment
  public static final Option<String> AUGMENT_TO =
      text(
          "augment.to",
          "",
          "Directory of the larger corpus, which must not be there yet; augment needs it.");
  public static final Option<String> AUGMENT_KIND =
      oneOf(
          "augment.kind",
          "masked-lm",
          List.of("masked-lm", "rules"),
          "augment: masked-lm replaces words by what a masked LM deems likely in their place; rules"
              + " mask words, swap them by part of speech and keep n-grams.");
  public static final Option<Integer> AUGMENT_COPIES =
      atLeast(
          "augment.copies",
          "20",
          1,
          "augment: copies made of each row; those equal to it or to an earlier one are dropped.");
  public static final Option<Long> AUGMENT_SEED =
      seed(
          "augment.seed",
          "augment: seed of the words that are replaced, and of their replacements.");
  public static final Option<Boolean> AUGMENT_KEEP =
      bool("augment.keep-original", "true", "augment: whether the row itself is kept, as KEY+0.");
  public static final Option<String> AUGMENT_MODEL =
      text(
          "augment.model",
          "",
          "augment, masked-lm: Hugging Face directory of a masked LM; empty for teacher.path.");
  public static final Option<Integer> AUGMENT_CANDIDATES =
      checked(
          "augment.candidates",
          "15",
          Integer::valueOf,
          n -> n >= 1 && n <= 10_000,
          "a whole number in 1..10000",
          "augment, masked-lm: words that may take a word's place, the likeliest ones or, of a word"
              + " of several pieces, the nearest ones.");
  public static final Option<Double> AUGMENT_REPLACE =
      number(
          "augment.replace-probability",
          "0.4",
          p -> p >= 0 && p <= 1,
          "a number in 0..1",
          "augment, masked-lm: share of the words with candidates that are replaced in a copy.");
  public static final Option<String> AUGMENT_STOP_WORDS =
      oneOf(
          "augment.stop-words",
          "kept",
          List.of("kept", "replaced"),
          "augment, masked-lm: what becomes of English stop words; kept ones take no word's place"
              + " either, and there are half as many words to compute.");
  public static final Option<String> AUGMENT_VECTORS =
      text(
          "augment.word-vectors",
          "",
          "augment, masked-lm: what finds the nearest words to one of several pieces: a text file"
              + " of word vectors as GloVe's; empty for the model's own table of pieces; none masks"
              + " the word whole and asks the model.");
  public static final Option<Boolean> AUGMENT_SHOW =
      bool(
          "augment.show-original",
          "false",
          "augment, masked-lm: whether the model also reads the unmasked text, after the masked"
              + " one, as in TinyBERT's released code: candidates are nearer to the word, at twice"
              + " the tokens.");
  public static final Option<Double> AUGMENT_MASK =
      number(
          "augment.mask-probability",
          "0.1",
          p -> p >= 0 && p <= 1,
          "a number in 0..1",
          "augment, rules: share of the words that become [MASK].");
  public static final Option<Double> AUGMENT_POS =
      number(
          "augment.pos-probability",
          "0.1",
          p -> p >= 0 && p <= 1,
          "a number in 0..1",
          "augment, rules: share of the words that become a word of the same part of speech, drawn"
              + " as the corpus has them.");
  public static final Option<Double> AUGMENT_NGRAM =
      number(
          "augment.ngram-probability",
          "0.25",
          p -> p >= 0 && p <= 1,
          "a number in 0..1",
          "augment, rules: share of the copies of which 1 to 5 words in a row are kept alone.");

  // finetune
  public static final Option<String> FINETUNE_FROM =
      text(
          "finetune.from",
          "",
          "Hugging Face directory of the encoder to fine-tune; empty for teacher.path.");
  public static final Option<String> FINETUNE_TO =
      text("finetune.to", "", "Directory of the fine-tuned encoder; finetune needs it.");
  public static final Option<String> FINETUNE_TASK =
      oneOf(
          "finetune.task",
          "classification",
          List.of("classification", "regression", "multi-label", "masked-lm"),
          "What the labels are: one class, one number, any number of labels with vertical bars"
              + " between them, or the masked tokens themselves.");

  public static final Option<List<String>> FINETUNE_VALIDATION =
      list(
          "finetune.validation",
          "[]",
          "Labelled files, laid out as the corpus, of which no row is trained on: by them the best"
              + " weights are kept.");

  // evaluate
  public static final Option<List<String>> EVALUATE_PATH =
      list(
          "evaluate.path",
          "[]",
          "Held-out files, laid out as the corpus; empty for the corpus itself.");
  public static final Option<List<String>> EVALUATE_MODELS =
      list(
          "evaluate.models",
          "[]",
          "Hugging Face directories to compare with the teacher; empty for every student under"
              + " train.path.");
  public static final Option<String> EVALUATE_OUTPUT =
      text("evaluate.output", "evaluation.json", "Where the result goes.");

  public static final Option<String> EVALUATE_REFERENCE =
      text(
          "evaluate.reference",
          "",
          "A student, or the name that students of several seeds share, with which all others are"
              + " compared besides their baselines; empty for none.");
  public static final Option<List<String>> EVALUATE_METRICS =
      checked(
          "evaluate.metrics",
          "[]",
          Options::parseList,
          names -> names.stream().allMatch(METRIC_NAMES::contains),
          "a list of some of " + String.join(", ", METRIC_NAMES),
          "Metrics of the task, the one that matters most first: retention, comparisons and the"
              + " choice of the best weights go by it. Empty for accuracy, f1, matthews of classes;"
              + " pearson, spearman of scores; micro-f1, macro-f1, exact-match of several labels.");
  public static final Option<String> EVALUATE_PREDICTIONS =
      text(
          "evaluate.predictions",
          "",
          "File of every row's key, label and logits of each model, as JSON lines; empty for"
              + " none.");
  public static final Option<Boolean> EVALUATE_SPEED =
      bool(
          "evaluate.speed",
          "false",
          "Whether parameters, FLOPs and sentences a second are told, of the teacher and every"
              + " student at 32 and 128 tokens.");
  public static final Option<Double> EVALUATE_SPEED_SECONDS =
      number(
          "evaluate.speed-seconds",
          "1.0",
          s -> s > 0 && Double.isFinite(s),
          "a finite number > 0",
          "Seconds of each model's measurement at each length and batch, of which six turns are"
              + " made; a turn has one pass at least.");

  // heads
  public static final Option<String> HEAD_IMPORTANCE_MODEL =
      text(
          "head-importance.model",
          "",
          "head-importance: Hugging Face directory of the encoder; empty for teacher.path.");
  public static final Option<Integer> HEAD_IMPORTANCE_ROWS =
      atLeast(
          "head-importance.rows",
          "1000",
          2,
          "head-importance: rows of the corpus that the importance of heads is measured on, drawn"
              + " by head-importance.seed.");
  public static final Option<Long> HEAD_IMPORTANCE_SEED =
      seed("head-importance.seed", "head-importance: seed of the rows drawn, and of masking.");
  public static final Option<String> HEAD_IMPORTANCE_NORMALISE =
      oneOf(
          "head-importance.normalise",
          "layer",
          List.of("layer", "none"),
          "head-importance: layer divides importances by the root of the sum of their block's"
              + " squares, as the paper does; none leaves them in nats.");
  public static final Option<String> HEAD_IMPORTANCE_OUTPUT =
      text(
          "head-importance.output",
          "head-importance.json",
          "head-importance: where the result goes.");

  // verify
  public static final Option<Integer> VERIFY_ROWS =
      atLeast(
          "verify.rows",
          "64",
          0,
          "Rows that verify recomputes with the live teacher, drawn by cache.seed; 0 for none.");

  // export
  public static final Option<String> EXPORT_FROM =
      text("export.from", "", "Student to export; empty for train.path/student.name.");
  public static final Option<String> EXPORT_TO =
      text("export.to", "", "Directory of the export; export needs it.");

  // plan
  public static final Option<Double> PLAN_PRICE =
      number(
          "plan.price-per-hour",
          "0.68",
          p -> p > 0 && Double.isFinite(p),
          "a finite number > 0",
          "plan: price of an hour of all the machines of the session, in your currency.");
  public static final Option<Double> PLAN_STORAGE_PRICE =
      number(
          "plan.price-per-tb-month",
          "23",
          p -> p >= 0 && Double.isFinite(p),
          "a finite number >= 0",
          "plan: price of keeping 10^12 bytes for a month, in the same currency.");
  public static final Option<Double> PLAN_MONTHS =
      number(
          "plan.months",
          "1",
          m -> m >= 0 && Double.isFinite(m),
          "a finite number >= 0",
          "plan: months the cache is kept.");
  public static final Option<Integer> PLAN_STUDENTS =
      atLeast(
          "plan.students",
          "1",
          1,
          "plan: distilled students to be trained from the cache, each with its baseline.");
  public static final Option<Integer> PLAN_SECONDS =
      atLeast("plan.seconds", "60", 5, "plan: seconds that the probe may take at most.");
  public static final Option<String> PLAN_OUTPUT =
      text("plan.output", "plan.json", "plan: where the result goes.");

  public static final Option<String> DEVICE =
      oneOf(
          "device",
          "auto",
          List.of("auto", "cpu", "gpu"),
          "What tasks compute on: auto is the GPU that Spark gives a task, else the CPU; gpu ends"
              + " the command where there is none.");

  public static final Option<Boolean> SMOKE =
      bool("smoke", "false", "Shrinks any recipe to seconds: a few rows, few steps.");

  /** Every option, in the order of this file. */
  public static final List<Option<?>> ALL = declared();

  /** Keys that were renamed, with their new names; an old key is refused with its new name. */
  public static final Map<String, String> RENAMED =
      Map.ofEntries(
          Map.entry("cache.max-poison", "cache.max-invalid"),
          Map.entry("cache.tokens-per-batch", "cache.batch-tokens"),
          Map.entry("cache.unit-tokens", "cache.shard-tokens"),
          Map.entry("evaluate.against", "evaluate.reference"),
          Map.entry("finetune.held-out", "finetune.validation"),
          Map.entry("heads.model", "head-importance.model"),
          Map.entry("heads.normalise", "head-importance.normalise"),
          Map.entry("heads.output", "head-importance.output"),
          Map.entry("heads.rows", "head-importance.rows"),
          Map.entry("student.heads-from", "student.head-importance"),
          Map.entry("train.clip-norm", "train.max-grad-norm"),
          Map.entry("train.held-out", "train.validation"),
          Map.entry("train.measure-every", "train.eval-every"),
          Map.entry("train.patience", "train.early-stopping-patience"),
          Map.entry("train.rows-per-step", "train.batch-size"),
          Map.entry("train.shuffle-units", "train.shuffle-shards"),
          Map.entry("train.tokens-per-batch", "train.micro-batch-tokens"),
          Map.entry("train.undistilled-twin", "train.baseline"),
          Map.entry("train.warmup", "train.warmup-steps"));

  private Options() {}

  private static List<Option<?>> declared() {
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

  private static <T> Option<T> checked(
      String key,
      @Nullable String defaultValue,
      Function<String, T> parser,
      Predicate<T> rule,
      String words,
      String doc) {
    return new Option<>(key, defaultValue, parser, rule, words, doc);
  }

  private static Option<String> text(String key, @Nullable String defaultValue, String doc) {
    return checked(key, defaultValue, Function.identity(), t -> true, "text", doc);
  }

  private static Option<String> oneOf(
      String key, String defaultValue, List<String> values, String doc) {
    return checked(
        key,
        defaultValue,
        t -> t.toLowerCase(Locale.ROOT),
        values::contains,
        "one of " + String.join(", ", values),
        doc);
  }

  private static Option<Boolean> bool(String key, String defaultValue, String doc) {
    return checked(key, defaultValue, Options::parseBoolean, b -> true, "true or false", doc);
  }

  private static Option<Long> seed(String key, String doc) {
    return checked(key, "42", Long::valueOf, seed -> true, "a whole number", doc);
  }

  private static Option<Integer> atLeast(
      String key, @Nullable String defaultValue, int least, String doc) {
    return checked(
        key, defaultValue, Integer::valueOf, n -> n >= least, "a whole number >= " + least, doc);
  }

  private static Option<Double> number(
      String key, String defaultValue, Predicate<Double> rule, String words, String doc) {
    return checked(key, defaultValue, Double::valueOf, rule, words, doc);
  }

  private static Option<Double> weight(String key, String doc) {
    return number(key, "0.0", w -> w >= 0 && Double.isFinite(w), "a finite number >= 0", doc);
  }

  private static Option<List<String>> list(String key, @Nullable String defaultValue, String doc) {
    return checked(
        key, defaultValue, Options::parseList, l -> true, "a text, or a list such as [a, b]", doc);
  }

  private static Option<List<Integer>> integers(String key, String defaultValue, String doc) {
    return checked(
        key,
        defaultValue,
        text -> parseList(text).stream().map(Integer::valueOf).toList(),
        l -> l.stream().allMatch(n -> n >= 0),
        "a list of whole numbers >= 0 such as [0, 3, 6]",
        doc);
  }

  private static boolean areWeights(List<String> texts) {
    List<Double> weights = texts.stream().map(Double::valueOf).toList();
    return weights.stream().allMatch(weight -> weight >= 0 && Double.isFinite(weight))
        && weights.stream().anyMatch(weight -> weight > 0);
  }

  private static boolean parseBoolean(String text) {
    return switch (text) {
      case "true" -> true;
      case "false" -> false;
      default -> throw new IllegalArgumentException(text);
    };
  }

  private static List<String> parseList(String text) {
    String body = text.strip();
    if (body.startsWith("[") && body.endsWith("]")) {
      body = body.substring(1, body.length() - 1);
    }
    return Arrays.stream(body.split(",", -1)).map(String::strip).filter(s -> !s.isEmpty()).toList();
  }
}
