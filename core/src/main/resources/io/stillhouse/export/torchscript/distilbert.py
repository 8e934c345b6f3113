# Hugging Face's DistilBERT: DistilBertModel, DistilBertForSequenceClassification and DistilBertForMaskedLM, under the
# same names.
#
# Names of tensors end in their shape: B rows, L padded length, D hidden width, C logits, V words.


class Embeddings(Module):
    training: bool
    word_embeddings: __torch__.modules.Embedding
    position_embeddings: __torch__.modules.Embedding
    LayerNorm: __torch__.modules.LayerNorm

    def forward(self, input_ids: Tensor) -> Tensor:
        sum = self.word_embeddings.forward(input_ids) + self.position_embeddings.first(input_ids.size(1))
        return self.LayerNorm.forward(sum)


class Attention(Module):
    training: bool
    q_lin: __torch__.modules.Linear
    k_lin: __torch__.modules.Linear
    v_lin: __torch__.modules.Linear
    out_lin: __torch__.modules.Linear

    def forward(self, inputBLD: Tensor, biasB11L: Tensor) -> Tensor:
        contextBLD = __torch__.modules.attend(
            self.q_lin.forward(inputBLD), self.k_lin.forward(inputBLD), self.v_lin.forward(inputBLD), biasB11L
        )
        return self.out_lin.forward(contextBLD)


class FeedForward(Module):
    training: bool
    lin1: __torch__.modules.Linear
    lin2: __torch__.modules.Linear

    def forward(self, inputBLD: Tensor) -> Tensor:
        return self.lin2.forward(__torch__.modules.activate(self.lin1.forward(inputBLD)))


class Layer(Module):
    training: bool
    attention: __torch__.Attention
    sa_layer_norm: __torch__.modules.LayerNorm
    ffn: __torch__.FeedForward
    output_layer_norm: __torch__.modules.LayerNorm

    def forward(self, inputBLD: Tensor, biasB11L: Tensor) -> Tensor:
        middleBLD = self.sa_layer_norm.forward(self.attention.forward(inputBLD, biasB11L) + inputBLD)
        return self.output_layer_norm.forward(self.ffn.forward(middleBLD) + middleBLD)


class Layers(Module):
    __annotations__ = []
    __annotations__["$block"] = __torch__.Layer
    training: bool


class Transformer(Module):
    training: bool
    layer: __torch__.Layers

    def forward(self, stateBLD: Tensor, biasB11L: Tensor) -> Tensor:
        stateBLD = getattr(self.layer, "$block").forward(stateBLD, biasB11L)
        return stateBLD


class Model(Module):
    training: bool
    embeddings: __torch__.Embeddings
    transformer: __torch__.Transformer

    # Returns the last hidden states, (B, L, D).
    def forward(self, input_ids: Tensor, attention_mask: Optional[Tensor]=None) -> Tensor:
        stateBLD = self.embeddings.forward(input_ids)
        biasB11L = __torch__.modules.padding_bias(attention_mask, input_ids, stateBLD)
        return self.transformer.forward(stateBLD, biasB11L)


class SequenceClassification(Module):
    training: bool
    distilbert: __torch__.Model
    pre_classifier: __torch__.modules.Linear
    classifier: __torch__.modules.Linear

    # Returns the logits, (B, C).
    def forward(self, input_ids: Tensor, attention_mask: Optional[Tensor]=None) -> Tensor:
        stateBLD = self.distilbert.forward(input_ids, attention_mask)
        pooledBD = torch.relu(self.pre_classifier.forward(stateBLD.select(1, 0)))
        return self.classifier.forward(pooledBD)


class MaskedLm(Module):
    training: bool
    distilbert: __torch__.Model
    vocab_transform: __torch__.modules.Linear
    vocab_layer_norm: __torch__.modules.LayerNorm
    vocab_projector: __torch__.modules.Linear

    # Returns the logits of all tokens, (B, L, V).
    def forward(self, input_ids: Tensor, attention_mask: Optional[Tensor]=None) -> Tensor:
        stateBLD = self.distilbert.forward(input_ids, attention_mask)
        innerBLD = __torch__.modules.activate(self.vocab_transform.forward(stateBLD))
        return self.vocab_projector.forward(self.vocab_layer_norm.forward(innerBLD))
