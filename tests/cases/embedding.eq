# Embedding of words, averaged, classified
integer token[b,t], y[b]
parameter E[v,d], W[d,k]
e[b,t,d] = E[token[b,t],d]
a[b,d] = tanh(sum[t](e[b,t,d])/size(t))
s[b,k] = sum[d](a[b,d]*W[d,k])
C = sum[b](logsumexp[k](s[b,k]) - s[b,y[b]])/size(b)
