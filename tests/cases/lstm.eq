# Long short-term memory with a forget gate (Gers, Schmidhuber, Cummins 2000)
data x[b,t,n]
integer y[b,t]
parameter Wi[n,k], Ui[l,k], βi[k], Wf[n,k], Uf[l,k], βf[k], Wo[n,k], Uo[l,k], βo[k], Wg[n,k], Ug[l,k], βg[k], V[k,v]
i[b,t,k] = sigmoid(sum[n](x[b,t,n]*Wi[n,k]) + sum[l](h[b,t-1,l]*Ui[l,k]) + βi[k])
f[b,t,k] = sigmoid(sum[n](x[b,t,n]*Wf[n,k]) + sum[l](h[b,t-1,l]*Uf[l,k]) + βf[k])
o[b,t,k] = sigmoid(sum[n](x[b,t,n]*Wo[n,k]) + sum[l](h[b,t-1,l]*Uo[l,k]) + βo[k])
g[b,t,k] = tanh(sum[n](x[b,t,n]*Wg[n,k]) + sum[l](h[b,t-1,l]*Ug[l,k]) + βg[k])
c[b,t,k] = f[b,t,k]*c[b,t-1,k] + i[b,t,k]*g[b,t,k]
h[b,t,k] = o[b,t,k]*tanh(c[b,t,k])
s[b,t,v] = sum[k](h[b,t,k]*V[k,v])
C = sum[b,t](logsumexp[v](s[b,t,v]) - s[b,t,y[b,t]])/(size(b)*size(t))
