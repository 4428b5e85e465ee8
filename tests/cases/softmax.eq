# Softmax and cross-entropy with whole-number labels
data x[b,i]
integer t[b]
parameter W[i,k], β[k]
s[b,k] = sum[i](x[b,i]*W[i,k]) + β[k]
C = sum[b](logsumexp[k](s[b,k]) - s[b,t[b]])/size(b)
